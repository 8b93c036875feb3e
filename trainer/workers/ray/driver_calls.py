"""What a worker asks the driver of its Ray cluster, which is a process of its own.

The functions run there, and import Ray there alone. Ray's exceptions stay there: each function
raises ExecutorUnavailableError for them.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from trainer.schemas.job_request import Resources
from trainer.workers.executors import ExecutorUnavailableError
from trainer.workers.ray.messages import AttemptState, Machine

P = ParamSpec("P")
T = TypeVar("T")


def _explained(question: Callable[P, T]) -> Callable[P, T]:
    @wraps(question)
    def ask(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return question(*args, **kwargs)
        except Exception as error:
            raise ExecutorUnavailableError(str(error).partition("\n")[0]) from None

    return ask


@_explained
def connect(address: str) -> list[Machine]:
    """Become a driver of the cluster; return its machines."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    return driver.connect(address)


@_explained
def start(name: str, order: dict[str, Any], child: Sequence[str], resources: Resources) -> None:
    """Place an attempt on the cluster."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    driver.start(name, order, child, resources)


@_explained
def poll(name: str) -> AttemptState:
    """Return how an attempt stands."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    return driver.poll(name)


@_explained
def count_waiting() -> int:
    """Return how many attempts wait for room."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    return driver.count_waiting()


@_explained
def stop(name: str) -> None:
    """Ask an attempt to end its child."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    driver.stop(name)


@_explained
def has_ended(name: str) -> bool:
    """Return whether an attempt has ended."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    return driver.has_ended(name)


@_explained
def kill(name: str) -> None:
    """End an attempt's actor."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    driver.kill(name)
