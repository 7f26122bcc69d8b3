"""The command tree. Each command lives in its own module; adding one is a line here."""

from typing import Annotated

import typer

from ferryman import __version__
from ferryman.cli.accounts import audit_app, tokens_app, users_app
from ferryman.cli.bundle import bundle_app
from ferryman.cli.copy_help import add_images_commands
from ferryman.cli.depot import depot_app
from ferryman.cli.doctor import add_doctor
from ferryman.cli.downloads import downloads_app
from ferryman.cli.get_help import add_get
from ferryman.cli.images import images_app
from ferryman.cli.jobs import jobs_app
from ferryman.cli.link import link_app
from ferryman.cli.models import models_app
from ferryman.cli.settings import settings_app
from ferryman.cli.stats import add_stats
from ferryman.cli.status import add_status
from ferryman.cli.up import add_up

app = typer.Typer(
    name="ferry",
    help="Carries software to places the internet does not reach well, and runs it there.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ferry {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Carries software to places the internet does not reach well, and runs it there."""


add_get(app)
add_images_commands(app)
add_up(app)
add_status(app)
add_stats(app)
add_doctor(app)
app.add_typer(images_app(), name="images")
app.add_typer(jobs_app(), name="jobs")
app.add_typer(downloads_app(), name="downloads")
app.add_typer(depot_app(), name="depot")
app.add_typer(bundle_app(), name="bundle")
app.add_typer(models_app(), name="models")
app.add_typer(settings_app(), name="settings")
app.add_typer(link_app(), name="link")
app.add_typer(users_app(), name="users")
app.add_typer(tokens_app(), name="tokens")
app.add_typer(audit_app(), name="audit")
