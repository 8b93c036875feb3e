"""The one exception of the client, made from the services' problem documents."""

from shared.api.problems import Problem
from shared.errors import ReadsmithError


class ServiceError(ReadsmithError):
    """A service refused, or could not be asked; code, message and hint say why.

    status: the HTTP status, None if nothing answered. field: the part of the request that is
    wrong, if one is.
    """

    takes_any_code = True

    def __init__(
        self,
        code: str,
        message: str,
        hint: str = "",
        status: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(code, message, hint, field)
        self.status = status


def refused(problem: Problem) -> ServiceError:
    """Return the exception that a problem document stands for."""
    errors = problem.errors or ()
    hint = "; ".join(f"{each.field}: {each.message}" for each in errors) or problem.hint
    return ServiceError(problem.code, problem.detail, hint, problem.status, problem.field)
