"""`ferry models`: the Ollama models of the depot, and carrying them to other machines. Works without a daemon."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferryman.cli.depot_home import by_hand, noted, opened
from ferryman.cli.local import confirm
from ferryman.cli.models_show import Bar, shown_texts
from ferryman.cli.output import line, note, pairs, print_json, table
from ferryman.core.clock import rfc3339
from ferryman.core.errors import Invalid
from ferryman.core.units import format_size
from ferryman.depot.model import Origin

if TYPE_CHECKING:  # they need the depot, which help must not wait for
    from ferryman.depot.service import Depot
    from ferryman.downloads.models.carry import Carried, Stock
    from ferryman.downloads.models.library import Library, Model

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there under the same name.")]
_Models = Annotated[
    list[str],
    typer.Argument(metavar="MODEL…", help="Names such as llama3.2:1b, as 'ferry models ls' shows them."),
]


def models_app() -> typer.Typer:
    """Return the commands of `ferry models`."""
    app = typer.Typer(
        help="Ollama models of the depot; fetch them with 'ferry get ollama:MODEL'.", no_args_is_help=True
    )
    app.command("ls", epilog="Examples:\n\nferry models ls\n\nferry models ls --json")(list_models)
    app.command("show", epilog="Examples:\n\nferry models show llama3.2:1b")(show)
    app.command("rm", epilog="Examples:\n\nferry models rm llama3.2:1b")(remove)
    app.command(
        "export",
        epilog="Examples:\n\nferry models export llama3.2:1b -o models.zip\n\nferry models export llama3.2:1b -o usb/",
    )(export)
    app.command(
        "import", epilog="Examples:\n\nferry models import models.zip\n\nferry models import ~/.ollama/models"
    )(import_models)
    app.command(
        "install",
        epilog="Examples:\n\nferry models install models.zip\n\nferry models install llama3.2:1b --home /usr/share/ollama/.ollama",
    )(install)
    return app


def list_models(json: _Json = False) -> None:
    """List the models of the depot."""
    with opened() as depot:
        found = [_document(one) for one in _library(depot).all()]
    if json:
        print_json(found)
        return
    if not found:
        note("No model is here yet. Fetch one: ferry get ollama:MODEL")
        return
    rows = [{**one, "size": format_size(one["size"]), "digest": one["digest"][:19]} for one in found]
    table(rows, {"name": "NAME", "size": "SIZE", "digest": "DIGEST", "updated_at": "SET"}, right=("size",))


def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name such as llama3.2:1b.")],
    json: _Json = False,
) -> None:
    """Show a model: its layers, licence, template and parameters."""
    with opened() as depot:
        library = _library(depot)
        found = library.find(model)
        document, texts = _document(found), library.texts(found)
    if json:
        print_json({**document, "texts": texts})
        return
    pairs((name, document[name]) for name in ("name", "repository", "digest", "updated_at"))
    line(f"size        {format_size(document['size'])}")
    line()
    rows = [{**one, "size": format_size(one["size"])} for one in document["layers"]]
    table(rows, {"kind": "LAYER", "size": "SIZE", "digest": "DIGEST"}, right=("size",))
    shown_texts(texts)


def remove(
    models: _Models,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: _Json = False,
) -> None:
    """Take models out of the depot; their bytes go with the next gc."""
    with opened() as depot:
        found = [_library(depot).find(name) for name in models]
        if not yes:
            confirm(f"Remove {', '.join(one.name for one in found)} from the depot")
        for one in found:
            depot.remove(one.ref.repository, one.ref.tag, by_hand(depot), noted(depot, str(one.ref)))
    if json:
        print_json([_document(one) for one in found])
    else:
        note("Removed. 'ferry depot gc' frees the room.")


def export(
    models: _Models,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE.zip|DIR/", help="A zip, or a folder.")
    ],
    overwrite: _Overwrite = False,
    json: _Json = False,
) -> None:
    """Write models as the folder that Ollama reads: models/blobs and models/manifests, in a zip or as it is."""
    from ferryman.downloads.models.stocks import DepotStock  # noqa: PLC0415 - loads the database

    path = Path(output).expanduser()
    zipped = path.suffix.lower() == ".zip"
    if not zipped and not (output.endswith("/") or path.is_dir()):
        raise Invalid(
            "target_invalid",
            f"'{output[:200]}' is neither a zip nor a folder.",
            advice="End it with .zip or with /.",
        )
    with opened() as depot:
        stock = DepotStock(depot, [_library(depot).find(name) for name in models])
        if not zipped:
            _told(_to_folder(stock, path, stock.size, overwrite=overwrite), str(path), json=json)
            return
        from ferryman.downloads.models.export import write_archive  # noqa: PLC0415 - loads manifests

        with Bar("packing", stock.size) as bar:
            size = write_archive(stock, path, bar.add, overwrite=overwrite)
    if json:
        print_json({"path": str(path), "size": size, "models": list(models)})
    else:
        line(f"{path}  {format_size(size)}")


def import_models(
    source: Annotated[str, typer.Argument(metavar="FILE|DIR", help="A zip of models, or the folder models.")],
    json: _Json = False,
) -> None:
    """Take models from a zip or folder into the depot; every digest is checked."""
    from ferryman.downloads.models.carry import carry  # noqa: PLC0415 - loads manifests
    from ferryman.downloads.models.stores import DepotStore  # noqa: PLC0415 - loads the database

    path = Path(source).expanduser()
    stock = _stock(path)
    with opened(create=True) as depot, depot.begin(f"import:{path.absolute()}") as hold:
        store = DepotStore(depot, Origin(f"import:{path.name}", depot.clock.now()), hold)
        with Bar("importing", _size_of(path)) as bar:
            carried = carry(stock, store, bar.add)
    _told(carried, "the depot", json=json)


def install(
    sources: Annotated[
        list[str], typer.Argument(metavar="MODEL|FILE|DIR…", help="Models of the depot, zips, or folders.")
    ],
    home: Annotated[Path, typer.Option("--home", metavar="DIR", help="The home of Ollama.")] = Path(
        "~/.ollama"
    ),
    overwrite: _Overwrite = False,
    json: _Json = False,
) -> None:
    """Put models into an Ollama home. What is there stays; every digest is checked; nothing outside the home is touched."""
    from ferryman.downloads.models.carry import Carried  # noqa: PLC0415 - loads manifests

    place = home.expanduser()
    files = [one for one in sources if _is_path(one)]
    done: list[Carried] = [
        _to_folder(
            _stock(Path(one).expanduser()), place, _size_of(Path(one).expanduser()), overwrite=overwrite
        )
        for one in files
    ]
    if names := [one for one in sources if one not in files]:
        with opened() as depot:
            done.append(_from_depot(depot, names, place, overwrite=overwrite))
    whole = Carried(
        tuple(name for one in done for name in one.models),
        tuple(name for one in done for name in one.there),
        sum(one.moved for one in done),
        sum(one.kept for one in done),
    )
    _told(whole, str(place), json=json)


def _library(depot: "Depot") -> "Library":
    from ferryman.downloads.models.library import Library  # noqa: PLC0415 - loads the database

    return Library(depot)


def _from_depot(depot: "Depot", names: list[str], home: Path, *, overwrite: bool) -> "Carried":
    from ferryman.downloads.models.stocks import DepotStock  # noqa: PLC0415 - loads the database

    stock = DepotStock(depot, [_library(depot).find(name) for name in names])
    return _to_folder(stock, home, stock.size, overwrite=overwrite)


def _to_folder(stock: "Stock", home: Path, size: int, *, overwrite: bool) -> "Carried":
    from ferryman.downloads.models.carry import carry  # noqa: PLC0415 - loads manifests
    from ferryman.downloads.models.stores import FolderStore  # noqa: PLC0415 - loads the database

    with Bar("writing", size) as bar:
        return carry(stock, FolderStore(home, overwrite=overwrite), bar.add)


def _stock(path: Path) -> "Stock":
    from ferryman.downloads.models.stocks import ArchiveStock, FolderStock  # noqa: PLC0415 - loads the database

    return FolderStock(path) if path.is_dir() else ArchiveStock(path)


def _is_path(text: str) -> bool:
    return text.lower().endswith(".zip") or text.startswith((".", "/", "~")) or text.endswith("/")


def _size_of(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


def _document(model: "Model") -> dict[str, Any]:
    found = model.to_dict()
    return {**found, "updated_at": rfc3339(found["updated_at"])}


def _told(carried: "Carried", where: str, *, json: bool) -> None:
    if json:
        print_json(
            {
                "models": list(carried.models),
                "there": list(carried.there),
                "moved": carried.moved,
                "kept": carried.kept,
                "to": where,
            }
        )
        return
    for name in carried.models:
        line(f"{name}  -> {where}")
    for name in carried.there:
        line(f"{name}  was there")
    note(f"{format_size(carried.moved)} written, {format_size(carried.kept)} there before")
