"""Actors on the cluster's machines. Importing this imports Ray."""

from typing import Any

import ray

from trainer.requests import Resources


def place(actor: type, resources: Resources) -> Any:
    """Ask the cluster for an actor; it starts once a machine has room, and takes no arguments.

    Ray tries nothing a second time: attempts and trials are counted in the job database.
    """
    return (
        ray.remote(actor)
        .options(
            num_cpus=resources.cpus,
            num_gpus=resources.gpus,
            memory=resources.memory_bytes,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=2,
        )
        .remote()
    )
