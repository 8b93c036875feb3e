"""The connection to an object storage: opened when first used, its failures put into words."""

import os
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar

from shared.background import in_background
from shared.errors import StorageAwayError, StorageError

CONNECT_SECONDS = 2
SILENCE_SECONDS = 10
"""How long the storage may say nothing before a request has failed."""
TRIES = 3
"""Of each request, in all."""
MEANWHILE = {"PreconditionFailed", "ConditionalRequestConflict"}
"""What storages call a condition that is not met."""

MOST_WORDS = 300
"""Characters of an error of the package that are told."""

T = TypeVar("T")


class NotModifiedError(Exception):
    """The object is still what the asker knows."""


class StorageConnection:
    """Runs requests by boto3's S3 client, one for each process (after a fork)."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: Any = None
        self._process = 0
        self._lock = threading.Lock()

    def run(self, work: Callable[[Any], T], seconds: float | None = None) -> T:
        """Return what work makes of the client, in a thread that is left behind after so long.

        Raises StorageError, FileNotFoundError if there is no such object, FileExistsError if a
        condition is not met, NotModifiedError. Errors of this machine's own disk pass through.
        """
        try:
            client = self._opened()
            return in_background(lambda: work(client)).result(seconds)
        except Exception as error:
            raise _explained(error, self._address) from error

    def _opened(self) -> Any:
        with self._lock:
            if self._process != os.getpid():
                self._client, self._process = _open(), os.getpid()
            return self._client


def require_package() -> None:
    """Raise StorageError unless boto3 is installed."""
    if find_spec("boto3") is None:
        raise StorageError(
            "The address begins with s3://, and the package for it is not installed.",
            "pip install 'readsmith[s3]'",
        )


def _open() -> Any:
    from boto3.session import Session  # noqa: PLC0415 - only where a setting asks for it
    from botocore.config import Config  # noqa: PLC0415 - likewise

    own_endpoint = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} & set(os.environ)
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=SILENCE_SECONDS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        # hosts of one's own have no names for each bucket
        s3={"addressing_style": "path"} if own_endpoint else {},
    )
    return Session(region_name=os.environ.get("AWS_REGION")).client("s3", config=config)


def _explained(error: Exception, address: str) -> Exception:
    """Return the failure as run raises it."""
    # of an upload the context has it
    answer = getattr(error, "response", None) or getattr(error.__context__, "response", None) or {}
    code = answer.get("Error", {}).get("Code", "")
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status == 304:
        return NotModifiedError()
    if code in MEANWHILE or status == 412:
        return FileExistsError(str(error))
    if status == 404 and code != "NoSuchBucket":
        return FileNotFoundError(str(error))
    return _refused(address, code, status) if answer else _unreachable(error, address)


def _refused(address: str, code: str, status: int | None) -> StorageError:
    if code == "NoSuchBucket":
        return StorageError(
            f"There is no bucket for {address}.", "Create it, or correct the address."
        )
    if status in (401, 403):
        return StorageError(
            f"The storage refuses access to {address} ({code or status}).",
            "See that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are right and may list, read, "
            "write and delete there.",
        )
    message = f"The storage of {address} answers {code or status}."
    return StorageAwayError(message, "Try again soon.")


def _unreachable(error: Exception, address: str) -> Exception:
    from botocore import exceptions as botocore  # noqa: PLC0415 - of the optional package

    if isinstance(error, botocore.NoCredentialsError):
        return StorageError(
            f"There are no credentials for {address}.",
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role.",
        )
    if isinstance(error, botocore.SSLError):
        return StorageAwayError(
            f"The storage of {address} cannot be reached safely: {_sentence(error)}",
            "See that AWS_ENDPOINT_URL is right, http or https too; AWS_CA_BUNDLE names a file "
            "with the certificate of an authority of your own.",
        )
    # Some of botocore's errors are OSErrors, too: these come first.
    silent = botocore.ConnectionError | botocore.HTTPClientError | botocore.IncompleteReadError
    if isinstance(error, silent | TimeoutError):
        return StorageAwayError(
            f"The storage of {address} cannot be reached: {_sentence(error)}",
            "See that AWS_ENDPOINT_URL is right (unset for AWS), and that it answers.",
        )
    if isinstance(error, botocore.BotoCoreError) or _is_of_the_endpoint(error):
        return StorageError(
            f"The storage of {address} cannot be asked: {_sentence(error)}",
            "See that the settings AWS_… are right; AWS_ENDPOINT_URL begins with http:// or "
            "https://, and is unset for AWS.",
        )
    return error


def _is_of_the_endpoint(error: Exception) -> bool:
    return isinstance(error, ValueError) and "endpoint" in str(error).lower()


def _sentence(error: Exception) -> str:
    words = str(error).rstrip(".") or type(error).__name__
    return f"{words[:MOST_WORDS]}."
