"""The `readsmith` command."""

from importlib.metadata import version
from typing import Annotated

import typer

from readsmith.commands.datasets.check import check
from readsmith.commands.datasets.convert import convert
from readsmith.commands.datasets.pack import pack
from readsmith.commands.doctor.doctor import doctor
from readsmith.commands.evaluate import evaluate
from readsmith.commands.import_h5 import adopt
from readsmith.commands.jobs import jobs
from readsmith.commands.keys import app as keys
from readsmith.commands.learning_curve import learning_curve
from readsmith.commands.models import app as models
from readsmith.commands.predict import predict
from readsmith.commands.train import train
from readsmith.commands.up import up
from readsmith.output import Commands

app = typer.Typer(
    cls=Commands,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"readsmith {version('readsmith')}")
        raise typer.Exit


@app.callback()
def readsmith(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Trains and serves models that read short text lines.

    Example: readsmith up --first-job
    """


for command in (up, check, convert, pack, train, evaluate, predict, jobs, learning_curve, doctor):
    app.command()(command)
app.command("import")(adopt)
app.add_typer(models, name="models")
app.add_typer(keys, name="keys")

if __name__ == "__main__":
    app()
