"""A finished transfer as a JSON object: the result of a job, and what `ferry get --json` prints."""

from typing import Any

from ferryman.transfer.model import Result


def result_document(result: Result) -> dict[str, Any]:
    """Return `result` with paths and digests as text; sizes are bytes, `seconds` is how long bytes moved."""
    return {
        "path": str(result.path),
        "size": result.size,
        "digests": [str(digest) for digest in result.digests],
        "seconds": round(result.seconds, 3),
        "network": result.network,
        "resumed": result.resumed,
        "url": result.url,
        "etag": result.etag,
        "mime": result.mime,
        "renamed": result.renamed,
        "skipped": result.skipped,
    }
