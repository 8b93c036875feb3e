"""The `readsmith` command."""

import typer

from readsmith.adopt import adopt
from readsmith.check import check
from readsmith.doctor import doctor
from readsmith.evaluate import evaluate
from readsmith.jobs import jobs
from readsmith.keys import app as keys
from readsmith.learning_curve import learning_curve
from readsmith.models import app as models
from readsmith.output import Commands
from readsmith.pack import pack
from readsmith.predict import predict
from readsmith.train import train
from readsmith.up import up

app = typer.Typer(
    cls=Commands,
    help="Trains and serves readers of short text lines.\n\nExample: readsmith up --first-job",
    pretty_exceptions_enable=False,
)
for command in (up, check, pack, train, evaluate, predict, jobs, learning_curve, doctor):
    app.command()(command)
app.command("import")(adopt)
app.add_typer(models, name="models")
app.add_typer(keys, name="keys")

if __name__ == "__main__":
    app()
