"""Connects this process to a Ray cluster and creates actors there. Importing this imports Ray."""

import logging
from typing import Any

import ray

from trainer.schemas.job_request import Resources
from trainer.workers.ray.messages import Machine


def join(address: str) -> None:
    """Become a driver of the cluster; raises Ray's errors.

    If the cluster does not answer, Ray ends this process after some minutes.
    """
    ray.init(
        address=address,
        namespace="readsmith",
        log_to_driver=False,
        configure_logging=False,
        logging_level=logging.ERROR,
    )


def live_machines() -> list[Machine]:
    """Return the cluster's machines."""
    return [
        Machine(
            node["NodeManagerHostname"],
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
            int(node["Resources"].get("memory", 0)),
        )
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    ]


def create_actor(actor: type, resources: Resources) -> Any:
    """Create an actor, which starts once a machine has the resources, and return its handle.

    actor: a class whose constructor takes no arguments.
    """
    # Ray retries nothing: attempts and trials are counted in the job database, and a restarted
    # actor would train under a claim that another attempt may hold.
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


def is_there(reference: Any) -> bool:
    """Return whether the result of a call to an actor has arrived."""
    done, _ = ray.wait([reference], timeout=0)
    return bool(done)
