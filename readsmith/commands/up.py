"""`readsmith up`: both services on this machine, and a first job if wanted."""

import signal
from functools import partial
from typing import Annotated, Any

import typer

from readsmith.options import options
from readsmith.output import FAILED, err, out, print_json, say

TrainerPort = Annotated[int, typer.Option(min=1, max=65535, envvar="READSMITH_TRAINER_PORT")]
PredictorPort = Annotated[int, typer.Option(min=1, max=65535, envvar="READSMITH_PREDICTOR_PORT")]


def up(
    first_job: Annotated[
        bool, typer.Option("--first-job", help="Train a model and read held-out images with it.")
    ] = False,
    dataset: options.OptionalDataset = None,
    once: Annotated[
        bool, typer.Option("--once", help="Stop after the first job; 0 only if all went right.")
    ] = False,
    labels: options.Labels = "auto",
    model: options.Model = "default",
    epochs: options.Epochs = None,
    max_minutes: options.MaxMinutes = None,
    store: options.Store = options.STORE,
    state: options.State = options.STATE,
    logs: options.Logs = options.LOGS,
    trainer_host: Annotated[str, typer.Option(envvar="READSMITH_TRAINER_HOST")] = "127.0.0.1",
    trainer_port: TrainerPort = 8000,
    predictor_host: Annotated[str, typer.Option(envvar="READSMITH_PREDICTOR_HOST")] = "127.0.0.1",
    predictor_port: PredictorPort = 8080,
    as_json: options.Json = False,
) -> None:
    """Start trainer and predictor, and keep them running until Ctrl-C.

    Example: readsmith up --first-job --dataset captchas.zip
    """
    from readsmith.options.job_request import job_request, local_path
    from readsmith.services.first_job import FirstJob
    from readsmith.services.processes import Address, LocalServices, environment_of, require_rooms
    from readsmith.services.start_screen import show, start_screen

    if not first_job and (once or dataset):
        raise typer.BadParameter("--once and --dataset go with --first-job.")
    # Always promoted: the held-out images are read with the new version, so it must be served.
    asked = {"model": model, "epochs": epochs, "max_minutes": max_minutes, "promote": "always"}
    request = job_request(dataset, labels, **asked)
    trainer = Address("trainer", trainer_host, trainer_port)
    predictor = Address("predictor", predictor_host, predictor_port)
    require_rooms(state, store)
    console = err if as_json else out
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    environment = environment_of(trainer, predictor, store, state)
    with LocalServices(environment, logs, partial(say, err)) as services:
        say(console, "Starting trainer and predictor")
        services.wait_until_ready(trainer.url, predictor.url)
        show(console, start_screen(trainer.url, predictor.url, store, logs))
        report: dict[str, Any] = {"trainer": trainer.url, "predictor": predictor.url}
        if first_job:
            first = FirstJob(trainer.url, predictor.url, store, console, services.check)
            outcome = first.run(request, local_path(dataset))
            report |= outcome.as_json()
        if as_json:
            print_json(report)
        if once:
            raise typer.Exit(0 if outcome.mostly_correct else FAILED)
        say(console, "Serving until Ctrl-C.")
        services.wait()
