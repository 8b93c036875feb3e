"""A driver of a cluster, and its actors on the machines. Importing this imports Ray."""

import logging
from typing import Any

import ray

from trainer.schemas.job_request import Resources


def join(address: str) -> None:
    """Become a driver of the cluster; raises what Ray raises.

    Where nobody answers, Ray ends this process after some minutes.
    """
    ray.init(
        address=address,
        namespace="readsmith",
        log_to_driver=False,
        configure_logging=False,
        logging_level=logging.ERROR,
    )


def create_actor(actor: type, resources: Resources) -> Any:
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
