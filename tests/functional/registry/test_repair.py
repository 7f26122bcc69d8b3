"""What clients pushed and is damaged since: nobody is given it, who pushed it is named, and a push again repairs it."""

import json
import urllib.error
import urllib.request
from pathlib import Path

from tests.functional.registry.conftest import Served, Store
from tests.functional.registry.test_clients import put


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def head(served: Served, path: str) -> int:
    request = urllib.request.Request(
        f"http://{served.host}/v2/{path}",
        method="HEAD",
        headers={
            "Authorization": f"Bearer {served.secret}",
            "Accept": "application/vnd.oci.image.manifest.v1+json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_push_again_repairs_what_was_pushed(served: Served, store: Store, skopeo):
    place = f"{served.host}/pushed/app:v1"
    put(skopeo, served, store, place)
    layer = json.loads(store.one.raw)["layers"][0]["digest"]
    addresses = [f"pushed/app/blobs/{layer}", f"pushed/app/manifests/{store.one.digest}"]
    assert [head(served, one) for one in addresses] == [200, 200]
    daemon = served.daemon
    for digest in (layer, store.one.digest):
        value = digest.partition(":")[2]
        flip(daemon.home / "depot" / "blobs" / "sha256" / value[:2] / value)
    ended = daemon.ended(daemon.api("POST", "/api/v1/depot/fsck", {})["id"])
    assert (ended["state"], ended["error_code"]) == ("failed", "depot_damaged")
    log = json.dumps(daemon.api("GET", f"/api/v1/jobs/{ended['id']}/log"))
    assert "pushed it on" in log
    assert "a push of the same image repairs it" in log
    assert [head(served, one) for one in addresses] == [404, 404]
    assert head(served, "pushed/app/manifests/v1") == 404
    put(skopeo, served, store, place)
    assert [head(served, one) for one in addresses] == [200, 200]
    again = daemon.ended(daemon.api("POST", "/api/v1/depot/fsck", {})["id"])
    assert (again["state"], again["result"]["findings"]) == ("succeeded", [])
