"""Authentication and authorisation of every request to both services."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.access.allowed_hosts import Addressed, AllowedHosts, is_loopback
from shared.access.api_keys import ApiKey, KeyFile
from shared.access.audit import ANONYMOUS, audit
from shared.access.rate_limit import RateLimit
from shared.access.settings import AccessSettings
from shared.access.tokens import TOKEN, Scope
from shared.errors import (
    BusyError,
    ForbiddenError,
    ReadsmithError,
    SetupError,
    UnauthenticatedError,
)

CHECK_SECONDS = 1.0
"""Between two checks of the key file: a new or revoked key takes effect within this time."""

HINT = (
    "Send the header Authorization: Bearer KEY (readsmith's commands take READSMITH_API_KEY); "
    "`readsmith keys create` creates a key."
)
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Readsmith"'}

log = logging.getLogger("readsmith.access")


class Caller(NamedTuple):
    """Who sends a request: its header Authorization, how it is addressed, the client's address."""

    authorization: str | None
    addressed: Addressed
    address: str | None


class Access:
    """Admits requests or raises; one per process, for any number of threads.

    host: the address that the service listens on; origins: of other pages that may call it
    without a key. Raises ReadsmithError keys_unreadable, or anonymous_refused if other machines
    could reach a service that has no keys.
    """

    def __init__(self, settings: AccessSettings, host: str, origins: str | None = None) -> None:
        self._file = KeyFile(settings.keys)
        self._hosts = AllowedHosts(settings.allowed_hosts, origins)
        self._limit = RateLimit()
        self._stamp = self._file.stamp()
        self._keys = _by_id(self._file.read())
        self._next_check = time.monotonic() + CHECK_SECONDS
        if self._keys is None and not (settings.allow_anonymous or is_loopback(host)):
            raise SetupError(
                "anonymous_refused",
                f"There are no API keys in {settings.keys}, and other machines can reach "
                f"{host or 'every address of this machine'}.",
                "Create a key with `readsmith keys create`, listen on 127.0.0.1, or set "
                "READSMITH_ALLOW_ANONYMOUS=1 to let every client use it.",
            )

    def admit(self, caller: Caller, *scopes: Scope) -> str:
        """Return the name of the key that a request carries; "anonymous" without keys.

        scopes: the key needs any one of them.
        Rejected requests are written to the audit log. Raises UnauthenticatedError,
        ForbiddenError or BusyError.
        """
        keys, who = self._current_keys(), ANONYMOUS
        try:
            if keys is None:
                # Without keys, only headers of browsers tell a user's client from a web page.
                self._check_names(caller)
            else:
                key = _key_of(caller.authorization, keys)
                who = key.name
                self._check(key, scopes)
        except ReadsmithError as error:
            audit("refuse", who=who, address=caller.address, reason=error.code)
            raise
        return who

    def may(self, caller: Caller, scope: Scope) -> bool:
        """Return whether an admitted caller's key has a scope, too; True without keys."""
        keys = self._current_keys()
        return keys is None or _key_of(caller.authorization, keys).may(scope)

    def _check_names(self, caller: Caller) -> None:
        header = self._hosts.refused(caller.addressed)
        if header is not None:
            raise ForbiddenError(
                "host_not_allowed" if header == "Host" else "origin_not_allowed",
                f"Without API keys this service rejects requests with this {header}: "
                "a web page could send them.",
                "Call it localhost or by its address, add the name to READSMITH_ALLOWED_HOSTS, "
                "or create a key with `readsmith keys create`.",
            )

    def _check(self, key: ApiKey, scopes: Sequence[Scope]) -> None:
        if key.has_expired:
            raise UnauthenticatedError(
                "key_expired", f"The API key {key.name} has expired.", HINT, headers=CHALLENGE
            )
        if not any(key.may(scope) for scope in scopes):
            has = " and ".join(sorted(key.scopes))
            raise scope_missing(f"The API key {key.name} has the scope {has}", scopes)
        if key.requests_per_minute is not None:
            wait = self._limit.seconds_to_wait(key.id, key.requests_per_minute)
            if wait:
                raise BusyError(
                    "rate_limited",
                    f"The API key {key.name} may send {key.requests_per_minute} requests a minute.",
                    "Try again after the seconds in Retry-After.",
                    headers={"Retry-After": str(math.ceil(wait))},
                )

    def _current_keys(self) -> dict[str, ApiKey] | None:
        if time.monotonic() >= self._next_check:
            self._next_check = time.monotonic() + CHECK_SECONDS
            try:
                self._reload()
            except ReadsmithError as error:
                # A half-edited file must neither lock every client out nor open the service:
                # without earlier keys, an empty set rejects all requests.
                log.error("%s The keys loaded before stay in force.", error.message)
                self._keys = self._keys or {}
        return self._keys

    def _reload(self) -> None:
        """Load the key file if it has changed. A missing file changes nothing: it may come back."""
        stamp = self._file.stamp()
        if stamp in (self._stamp, None):
            return
        before, now = self._keys or {}, _by_id(self._file.read()) or {}
        self._keys, self._stamp = now, stamp
        for key_id in now.keys() - before.keys():
            _audit_change("key created", now[key_id])
        for key_id in before.keys() - now.keys():
            _audit_change("key revoked", before[key_id])


def scope_missing(what: str, scopes: Sequence[Scope]) -> ForbiddenError:
    """Return the error for a key that has none of these scopes; what: begins the sentence."""
    return ForbiddenError(
        "scope_missing",
        f"{what}, not {' or '.join(scopes)}.",
        f"Create a key that has it: readsmith keys create NAME --scope {scopes[0]}",
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scopes[0]}"'},
    )


def _by_id(keys: tuple[ApiKey, ...] | None) -> dict[str, ApiKey] | None:
    return None if keys is None else {key.id: key for key in keys}


def _audit_change(action: str, key: ApiKey) -> None:
    audit(action, key=key.name, scopes=sorted(key.scopes))


def _key_of(authorization: str | None, keys: Mapping[str, ApiKey]) -> ApiKey:
    """Return the key whose token a request carries; raises UnauthenticatedError."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise UnauthenticatedError(
            "key_missing", "This request carries no API key.", HINT, headers=CHALLENGE
        )
    parts = TOKEN.fullmatch(token)
    key = keys.get(parts[1]) if parts else None
    if key is None or not key.is_of(token):
        message = "This API key is not known, or has been revoked."
        raise UnauthenticatedError("key_invalid", message, HINT, headers=CHALLENGE)
    return key
