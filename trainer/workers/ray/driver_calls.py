"""The calls that a worker makes to the driver of its Ray cluster, which is a separate process.

The functions run there and import Ray only there. Ray's exceptions stay there, too, because the
worker could not unpickle them without Ray: each function raises ExecutorUnavailableError instead.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from trainer.schemas.job_request import Resources
from trainer.workers.executors import ExecutorUnavailableError
from trainer.workers.ray.messages import AttemptState, Machine

P = ParamSpec("P")
T = TypeVar("T")


def _translates_errors(function: Callable[P, T]) -> Callable[P, T]:
    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise ExecutorUnavailableError(str(error).partition("\n")[0]) from None

    return call


@_translates_errors
def connect(address: str) -> list[Machine]:
    """Become a driver of the cluster; return its machines."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    return driver.connect(address)


@_translates_errors
def start(name: str, order: dict[str, Any], child: Sequence[str], resources: Resources) -> None:
    """Request an attempt's placement and run."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    driver.start(name, order, child, resources)


@_translates_errors
def poll(name: str) -> AttemptState:
    """Return the state of an attempt."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    return driver.poll(name)


@_translates_errors
def count_waiting() -> int:
    """Return how many attempts wait for resources that some machine has when it is idle."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    return driver.count_waiting()


@_translates_errors
def stop(name: str) -> None:
    """Ask an attempt to end its child."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    driver.stop(name)


@_translates_errors
def has_ended(name: str) -> bool:
    """Return whether an attempt has ended or was never placed."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    return driver.has_ended(name)


@_translates_errors
def kill(name: str) -> None:
    """Kill an attempt's actor."""
    from trainer.workers.ray import driver  # noqa: PLC0415 - imports Ray

    driver.kill(name)
