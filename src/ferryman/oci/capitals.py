"""Names of models in the grammar of repositories: capitals are kept in the name itself. Pure; hostile.

Ollama's names may have capitals (`Org/Model-GGUF`), repositories may not (distribution-spec, "Pulling manifests"). Each part that has some is
written in lower case with `--cap-N` behind it, N being a hexadecimal number whose bit i says that its letter i is a capital. What is
legal already stays as it is, unless it looks like that: then `--cap-0` is put behind it. So two names never become one.
"""

import re
from typing import Final

_MARK: Final = "--cap-"
_MARKED: Final = re.compile(r"(.+)--cap-(0|[1-9a-f][0-9a-f]*)")


def lowered(name: str) -> str:
    """Return a name, parts separated by `/`, as a repository: the same for the same name, another one for another."""
    return "/".join(_lowered(part) for part in name.split("/"))


def spelled(repository: str) -> str:
    """Return the name that became `repository`; what no name became stays as it is."""
    return "/".join(_spelled(part) for part in repository.split("/"))


def has_capitals(name: str) -> bool:
    """Tell whether a name is another one as a repository."""
    return name != lowered(name)


def _lowered(part: str) -> str:
    if not part.isascii():
        return part  # no name of either grammar: whoever checks it says so
    lower = part.lower()
    capitals = sum(1 << number for number, letter in enumerate(filter(str.isalpha, part)) if letter.isupper())
    return lower if not capitals and not _MARKED.fullmatch(lower) else f"{lower}{_MARK}{capitals:x}"


def _spelled(part: str) -> str:
    found = _MARKED.fullmatch(part)
    if found is None or len(found[2]) > 64:
        return part
    capitals, letters = int(found[2], 16), 0
    name = ""
    for letter in found[1]:
        name += letter.upper() if letter.isalpha() and capitals >> letters & 1 else letter
        letters += letter.isalpha()
    return name if _lowered(name) == part else part
