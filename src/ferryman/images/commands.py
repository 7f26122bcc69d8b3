"""The commands that get something of the depot from elsewhere, for people to copy. Pure."""

from dataclasses import dataclass
from typing import Final

from ferryman.oci.ollama import HOST

_LOOPBACK: Final = ("127.", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Command:
    """A line for a shell, and the tool it is for."""

    tool: str
    words: str


@dataclass(frozen=True, slots=True)
class Door:
    """Where others reach the registry: `HOST[:PORT]`, and whether it speaks HTTP without TLS."""

    address: str
    plain: bool = True

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it under that address."""
        return self.address.startswith(_LOOPBACK)


def commands_of(kind: str, name: str, door: Door) -> list[Command]:
    """Return how `name`, which is a `kind` of `view.kind_shown`, is pulled from `door` and carried elsewhere."""
    whole = f"{door.address}/{name}"
    found = _model(name, door) if kind == "model" else _image(whole, plain=door.plain)
    return [*found, Command("Another registry", f"ferry push {name} docker://REGISTRY/NAME:TAG")]


def _image(whole: str, *, plain: bool) -> list[Command]:
    return [
        Command("Docker", f"docker pull {whole}"),
        Command("Podman", f"podman pull {'--tls-verify=false ' if plain else ''}{whole}"),
        Command("containerd", f"ctr images pull {'--plain-http ' if plain else ''}{whole}"),
    ]


def _model(name: str, door: Door) -> list[Command]:
    """Ollama's names have no room for the host that a model came from: those of its own library go without."""
    carried = Command("Without a network", f"ferry models export {name} -o models.zip")
    if not name.startswith(f"{HOST}/") or "@" in name:
        return [carried]
    scheme, flag = ("http", "--insecure ") if door.plain else ("https", "")
    short = f"{scheme}://{door.address}/{name.removeprefix(f'{HOST}/')}"
    return [Command("Ollama", f"ollama pull {flag}{short}"), carried]
