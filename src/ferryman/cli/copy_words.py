"""The words of the commands about images: every option once, read without the command tree, and given to it for the help."""

from typing import Final, NamedTuple

from ferryman.cli.get_words import Option

MODEL: Final = "ollama:"
"""How the address of a model begins."""
SCHEMES: Final = (
    "docker://",
    "oci:",
    "oci-archive:",
    "docker-archive:",
    "docker-daemon:",
    "containerd:",
    "depot:",
    MODEL,
)
"""How the address of an image begins."""
_CREDENTIALS: Final = "env:NAME|FILE"

_CHOICE: Final = (
    Option(
        "platform",
        ("--platform",),
        "Take only this platform of an index, such as linux/amd64; repeat for several.",
        "OS/ARCH[/VARIANT]",
        many=True,
    ),
    Option("all", ("--all",), "Take all platforms, which is what happens without --platform."),
    Option(
        "no-referrers",
        ("--no-referrers",),
        "Leave signatures, attestations and everything else that refers to the images behind.",
    ),
)
_SIDES: Final = (
    Option("authfile", ("--authfile",), "Docker or Podman auth file for both sides.", "FILE"),
    Option("plain-http", ("--plain-http",), "Talk HTTP without TLS to both sides."),
    Option("insecure", ("--insecure", "-k"), "Take any certificate of both sides."),
    Option("cacert", ("--cacert",), "Trust the certificates in this file instead of the system's.", "FILE"),
    Option("cert", ("--cert",), "Client certificate to show, PEM.", "FILE"),
    Option("key", ("--key",), "Its private key, when it is not in the same file.", "FILE"),
)
_SOURCE: Final = (
    Option(
        "src-creds",
        ("--src-creds", "--creds"),
        "Where user:password of the source is: env:NAME, or a file.",
        _CREDENTIALS,
    ),
    Option("src-authfile", ("--src-authfile",), "Auth file of the source.", "FILE"),
    Option("src-plain-http", ("--src-plain-http",), "Talk HTTP without TLS to the source."),
    Option("src-insecure", ("--src-insecure",), "Take any certificate of the source."),
    Option("src-cacert", ("--src-cacert",), "Certificates to trust at the source.", "FILE"),
)
_TARGET: Final = (
    Option(
        "dst-creds",
        ("--dst-creds",),
        "Where user:password of the target is: env:NAME, or a file.",
        _CREDENTIALS,
    ),
    Option("dst-authfile", ("--dst-authfile",), "Auth file of the target.", "FILE"),
    Option("dst-plain-http", ("--dst-plain-http",), "Talk HTTP without TLS to the target."),
    Option("dst-insecure", ("--dst-insecure",), "Take any certificate of the target."),
    Option("dst-cacert", ("--dst-cacert",), "Certificates to trust at the target.", "FILE"),
)
_LOCAL: Final = (
    Option(
        "containerd-address",
        ("--containerd-address",),
        "Socket of containerd, instead of CONTAINERD_ADDRESS or its usual one.",
        "SOCKET",
    ),
    Option(
        "containerd-namespace",
        ("--containerd-namespace",),
        "Namespace of containerd: images inside are containerd:NAME. Kubernetes uses k8s.io.",
        "NAMESPACE",
    ),
    Option(
        "docker-host",
        ("--docker-host",),
        "Socket of the Docker Engine, instead of DOCKER_HOST or its usual one.",
        "unix://PATH",
    ),
)
_REPLACE: Final = Option(
    "replace", ("--replace",), "Let a new archive take the place of a file that is there, once it is whole."
)
_SHOW: Final = (
    Option("json", ("--json",), "Print one JSON document at the end."),
    Option("quiet", ("--quiet", "-q"), "Print nothing but errors."),
)
_WORK: Final = (
    Option(
        "from-list",
        ("--from-list",),
        "File with one source on each line, maybe with its target after a space; - reads standard input.",
        "LIST|-",
    ),
    Option("connections", ("--connections", "-c"), "Most connections for one large blob, 1 to 32.", "N"),
    Option("limit", ("--limit",), "Speed limit of everything together, such as 20MB/s.", "RATE"),
    Option("dry-run", ("--dry-run", "-n"), "Say what would be copied, and copy nothing."),
    Option("detach", ("--detach", "-d"), "Hand it to the running daemon, print the job's id, do not wait."),
    Option(
        "through-daemon",
        ("--through-daemon",),
        "Hand it to the running daemon and wait until it is done.",
    ),
    Option("priority", ("--priority",), "For the daemon: 0 runs first, 9 last.", "NUMBER", queued=True),
)
_STORE: Final = (
    Option(
        "no-store", ("--no-store",), "Send what comes from registries straight through, not over the depot."
    ),
)


class Command(NamedTuple):
    """One of the commands: its options, and what its help says."""

    name: str
    options: tuple[Option, ...]
    help: str
    argument: str
    argument_help: str
    examples: tuple[str, ...]


COPY: Final = Command(
    "copy",
    (*_CHOICE, *_STORE, *_SIDES, *_SOURCE, *_TARGET, *_LOCAL, _REPLACE, *_WORK, *_SHOW),
    "Copy images between registries, folders, archives, engines and the depot, byte for byte.\n\n"
    "All of them are one plan: every blob is sent once, what the target has is not sent, what another repository of the "
    "target has is linked. Works without a daemon. What is interrupted goes on where it was when the same command runs again.",
    "SOURCE… TARGET",
    "docker://HOST/NAME:TAG, oci:FOLDER[:NAME], oci-archive:FILE, docker-archive:FILE, docker-daemon:NAME, containerd:NAME "
    "or depot:NAME. A target that ends with / takes several.",
    (
        "ferry copy docker://quay.io/team/app:1.2 docker://registry.example.org/team/app:1.2",
        "ferry copy docker://quay.io/team/a:1 docker://quay.io/team/b:1 docker://registry.example.org/mirror/",
        "ferry copy docker://quay.io/team/app:1.2 oci:app-folder --platform linux/amd64",
        "ferry copy --from-list images.txt docker://registry.example.org/mirror/ --no-store",
        "ferry copy docker://quay.io/team/app:1.2 depot: --dry-run",
    ),
)
PUSH: Final = Command(
    "push",
    (*_CHOICE, *_SIDES, *_TARGET, *_LOCAL, _REPLACE, *_WORK, *_SHOW),
    "Push images of the depot to a registry, or wherever else images can be.",
    "IMAGE… TARGET",
    "Images as the depot calls them, and where to; a target that ends with / takes several.",
    (
        "ferry push quay.io/team/app:1.2 docker://registry.example.org/team/app:1.2",
        "ferry push quay.io/team/a:1 quay.io/team/b:1 docker://registry.example.org/mirror/",
    ),
)
GET: Final = Command(
    "get",
    (
        Option(
            "output",
            ("--output", "-o"),
            "Where to, such as oci:FOLDER or oci-archive:FILE; the depot when left out.",
            "PLACE",
        ),
        Option(
            "registry",
            ("--registry",),
            "Where models (ollama:…) are fetched, instead of the Ollama registry; http:// for one without TLS.",
            "URL",
        ),
        *_CHOICE,
        *_SIDES,
        *_SOURCE,
        *_LOCAL,
        _REPLACE,
        *_WORK,
        *_SHOW,
    ),
    "Fetch images and models into the depot, or into a folder or archive.",
    "IMAGE…",
    "docker://HOST/NAME[:TAG|@DIGEST], oci:FOLDER, oci-archive:FILE, docker-archive:FILE, docker-daemon:NAME, containerd:NAME, ollama:MODEL[:TAG].",
    (
        "ferry get docker://quay.io/team/app:1.2",
        "ferry get docker://quay.io/team/app:1.2 -o oci:app-folder",
        "ferry get ollama:llama3.2:1b",
    ),
)
INSPECT: Final = Command(
    "inspect",
    (
        *_CHOICE[:1],
        *_SIDES,
        *_SOURCE[:2],
        *_LOCAL,
        Option("raw", ("--raw",), "Print the manifest as it is, byte by byte."),
        Option("config", ("--config",), "Print the configuration of the image."),
        *_SHOW[:1],
    ),
    "Show an image without copying it: digest, platforms, layers, sizes, what refers to it.",
    "IMAGE",
    "An image, wherever it is.",
    (
        "ferry inspect docker://quay.io/team/app:1.2",
        "ferry inspect docker://quay.io/team/app:1.2 --raw",
        "ferry inspect oci:app-folder --json",
    ),
)
TAGS: Final = Command(
    "tags",
    (
        *_SIDES,
        *_SOURCE[:2],
        *_LOCAL,
        Option("limit", ("--limit",), "Print at most so many.", "NUMBER"),
        *_SHOW[:1],
    ),
    "List the tags of a repository.",
    "REPOSITORY",
    "docker://HOST/NAME, depot:NAME, or a folder or archive.",
    ("ferry tags docker://quay.io/team/app", "ferry tags oci:app-folder"),
)
COMMANDS: Final = (COPY, PUSH, INSPECT, TAGS)


def is_image(word: str) -> bool:
    """Tell whether a word of `ferry get` is the address of an image."""
    return word.lower().startswith(SCHEMES)
