"""The one exception of the client, and the problem documents that it is made from."""

from pydantic import BaseModel

from shared.errors import ReadsmithError


class ServiceError(ReadsmithError):
    """A service refused, or could not be asked; code, message and hint say why.

    status: the HTTP status, None if nothing answered. field: the part of the request that is
    wrong, if one is.
    """

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

    def _require_own(self, code: str) -> None:
        """Take any: a newer service may have more of them."""


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(BaseModel):
    """A problem document (RFC 9457) as the services write them."""

    title: str
    status: int
    code: str
    detail: str
    hint: str | None = None
    field: str | None = None
    errors: list[FieldProblem] | None = None

    def error(self) -> ServiceError:
        """Return it as an exception."""
        errors = self.errors or ()
        hint = "; ".join(f"{each.field}: {each.message}" for each in errors) or self.hint or ""
        field = errors[0].field if errors else self.field
        return ServiceError(self.code, self.detail, hint, self.status, field)
