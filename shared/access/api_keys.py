"""API keys: random tokens, stored as hashes in one small file that both services read.

A token is ``rs_<id>_<secret>``; the secret has 256 random bits. A plain SHA-256 is enough: the
slow hashes used for passwords make guessing expensive, and 256 random bits cannot be guessed.
"""

import fcntl
import logging
import os
import secrets
import shlex
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.access.tokens import NAME_PATTERN, Scope
from shared.atomic_files import write_atomically
from shared.errors import ConflictError, NotFoundError, ReadsmithError, SetupError

log = logging.getLogger("readsmith.access")

KeyName = Annotated[str, Field(pattern=rf"^{NAME_PATTERN}$")]


class ApiKey(BaseModel):
    """What is stored of a key; the token itself is shown once and never stored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    name: KeyName
    scopes: frozenset[Scope] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    requests_per_minute: int | None = Field(None, ge=1)

    def is_of(self, token: str) -> bool:
        """Return whether a token is this key's, in constant time."""
        return compare_digest(self.sha256, _digest(token))

    def may(self, scope: Scope) -> bool:
        """Return whether the key has a scope."""
        return not self.scopes.isdisjoint((scope, Scope.ADMIN))

    @property
    def has_expired(self) -> bool:
        """Whether the key has passed its expiry date."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


class _Contents(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: Literal[1] = 1
    keys: tuple[ApiKey, ...] = ()


class KeyFile:
    """The key file. Without it, the services run without keys."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> tuple[int, int, int] | None:
        """Return inode, modification time and size of the file; None without one."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error.strerror) from error
        # The inode too: a replaced file can have the same time and size.
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> tuple[ApiKey, ...] | None:
        """Return the keys, None where there is no file; raises ReadsmithError keys_unreadable."""
        try:
            return _Contents.model_validate_json(self.path.read_bytes()).keys
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error.strerror) from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            location = ".".join(map(str, first["loc"])) or "the file"
            raise self._unreadable(f"{location}: {first['msg']}") from None

    def exposed(self) -> tuple[str, str] | None:
        """Return what is wrong with the file's permissions and the command that mends it, if any.

        A group may read the file, as in Kubernetes.
        """
        try:
            mode = self.path.stat().st_mode
        except OSError:
            return None
        writable = mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not writable and not mode & stat.S_IROTH:
            return None
        message = f"Other users of this machine can {'change' if writable else 'read'} {self.path}"
        return message, f"chmod 600 {shlex.quote(str(self.path))}"

    def warn_if_exposed(self) -> None:
        """Write a line to the log if others can read or change the file."""
        if found := self.exposed():
            log.warning("%s; for its owner alone: %s", *found)

    def create(
        self,
        name: str,
        scopes: Iterable[Scope],
        lifetime: timedelta | None = None,
        requests_per_minute: int | None = None,
    ) -> str:
        """Create a key and return its token; raises ReadsmithError key_exists."""
        token = f"rs_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC)
        key = ApiKey(
            id=token[3:11],
            name=name,
            scopes=frozenset(scopes),
            sha256=_digest(token),
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            requests_per_minute=requests_per_minute,
        )
        with self._locked():
            keys = self.read() or ()
            if any(name == other.name for other in keys):
                raise ConflictError(
                    "key_exists",
                    f"There is a key named {name} already.",
                    "Choose another name, or revoke that one first.",
                )
            self._write((*keys, key))
        return token

    def revoke(self, name: str) -> int:
        """Delete a key and return how many remain; raises ReadsmithError key_not_found."""
        with self._locked():
            keys = self.read() or ()
            remaining = tuple(key for key in keys if key.name != name)
            if len(remaining) == len(keys):
                raise NotFoundError(
                    "key_not_found",
                    f"There is no key named {name} in {self.path}.",
                    f"Existing keys: {', '.join(key.name for key in keys) or 'none'}.",
                )
            self._write(remaining)
        return len(remaining)

    def _write(self, keys: tuple[ApiKey, ...]) -> None:
        contents = _Contents(keys=keys).model_dump_json(indent=2)
        write_atomically(self.path, contents.encode() + b"\n", mode=0o600)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold an exclusive lock against other writers."""
        # On the folder: each write replaces the file, so a lock on it would be on the old inode.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _unreadable(self, why: str | None) -> ReadsmithError:
        return SetupError(
            "keys_unreadable",
            f"The API keys in {self.path} cannot be read: {why}.",
            "Only `readsmith keys` may edit it, and the services' user must own it.",
        )


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
