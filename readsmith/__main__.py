"""The `readsmith` command."""

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
    help="Trains and serves models that read short text lines.\n\n"
    "Example: readsmith up --first-job",
    pretty_exceptions_enable=False,
)
for command in (up, check, convert, pack, train, evaluate, predict, jobs, learning_curve, doctor):
    app.command()(command)
app.command("import")(adopt)
app.add_typer(models, name="models")
app.add_typer(keys, name="keys")

if __name__ == "__main__":
    app()
