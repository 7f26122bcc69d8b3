"""`ferry images`: the images of the depot, as `ferry copy`, `get` and `push` leave them."""

import typer

from ferryman.cli.depot import list_refs, remove, show


def images_app() -> typer.Typer:
    """Return the commands of `ferry images`."""
    app = typer.Typer(
        help="Images of the depot: list, show, remove. 'ferry get docker://…' brings them.",
        no_args_is_help=True,
    )
    app.command("ls", epilog="Examples:\n\nferry images ls\n\nferry images ls quay.io/team")(list_refs)
    app.command("show", epilog="Example:\n\nferry images show quay.io/team/app:1.2")(show)
    app.command("rm", epilog="Example:\n\nferry images rm quay.io/team/app:1.2 --dry-run")(remove)
    return app
