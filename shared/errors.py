"""The one exception that carries a message meant for a user."""


class ReadsmithError(Exception):
    """Something a user can understand and act on.

    code: a stable snake_case name for programs; message: what was wrong and where;
    hint: what would be right.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.code, self.message, self.hint))


def first_line(error: Exception) -> str:
    """Return what an error of Keras or h5py says first; they may say much."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
