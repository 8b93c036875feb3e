"""Lets requests in before their bodies are read, and notes what they changed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.access.access import Access, Caller, scope_missing
from shared.access.allowed_hosts import Addressed
from shared.access.audit import ANONYMOUS, audit
from shared.access.openapi import SECURITY_SCHEMES, security
from shared.access.tokens import Scope as KeyScope
from shared.errors import ReadsmithError
from trainer.api.pages import is_dashboard
from trainer.api.problems import answer, problem_responses
from trainer.settings import Settings

SAFE_METHODS = ("GET", "HEAD")


_PASSED_ON = re.compile(r"/(try|review)(/.*)?")
_CORRECTIONS = re.compile(r"/models/[^/]+/corrections(/.*)?")
_DATASETS = re.compile(r"/datasets(/.*)?")
_LABELLING = re.compile(r"/datasets/[^/]+/(images|labels)")


def needed_scopes(method: str, path: str) -> tuple[KeyScope, ...]:
    """Return what a key must be for; any of them will do.

    Whoever may have images read may correct the predictions; what is passed on to the predictor
    is let in by the predictor once more. Whoever labels sees datasets, and adds images and labels.
    Choosing what is served takes admin, all else train.
    """
    if _PASSED_ON.fullmatch(path) or (_CORRECTIONS.fullmatch(path) and method == "POST"):
        return KeyScope.TRAIN, KeyScope.PREDICT
    reads = method in SAFE_METHODS and _DATASETS.fullmatch(path)
    if reads or (method in ("POST", "PUT") and _LABELLING.fullmatch(path)):
        return KeyScope.TRAIN, KeyScope.LABEL
    if _CORRECTIONS.fullmatch(path) or method in SAFE_METHODS or not path.startswith("/models/"):
        return (KeyScope.TRAIN,)
    return (KeyScope.ADMIN,)


def client_address(scope: Scope, behind_gateway: bool) -> str | None:
    """Return the address that a request comes from, as far as it is known."""
    address: str | None = scope["client"][0] if scope.get("client") else None
    return Headers(scope=scope).get("x-forwarded-for", address) if behind_gateway else address


async def _facts(request: Request) -> dict[str, object]:
    facts: dict[str, object] = request.state.facts
    return facts


@dataclass(frozen=True)
class _Who:
    """Who sends a request that changes something."""

    key: str
    """The name of the key; "anonymous" without keys."""
    may: Callable[[KeyScope], bool]

    @property
    def name(self) -> str | None:
        """The name of the key; None without keys."""
        return None if self.key == ANONYMOUS else self.key

    def require_admin(self, for_what: str) -> None:
        """Raise ForbiddenError unless the key has the scope admin."""
        if not self.may(KeyScope.ADMIN):
            what = f"{for_what} takes a key with another scope than that of {self.key}"
            raise scope_missing(what, [KeyScope.ADMIN])


async def _who(request: Request) -> _Who:
    who: _Who = request.state.who
    return who


Who = Annotated[_Who, Depends(_who)]
AuditFacts = Annotated[dict[str, object], Depends(_facts)]
"""What a route puts into its parameter of this type stands in the request's audit line."""


class AccessControl:
    """ASGI middleware: a key for every request where there are keys, an audit line per change."""

    def __init__(self, app: ASGIApp, settings: Settings, access: Access) -> None:
        self._app = app
        self._access = access
        self._open_paths = settings.open_paths
        self._behind_gateway = settings.behind_gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it may."""
        if scope["type"] != "http" or self._is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        caller = self._caller(scope)
        try:
            who = self._access.admit(caller, *needed_scopes(scope["method"], scope["path"]))
        except ReadsmithError as error:
            await answer(error)(scope, receive, send)
            return
        if scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
        else:
            await self._audited(scope, receive, send, who, caller)

    def _is_open(self, path: str) -> bool:
        return path in self._open_paths or is_dashboard(path)

    def _caller(self, scope: Scope) -> Caller:
        headers = Headers(scope=scope)
        scheme = scope["scheme"]
        if self._behind_gateway:
            scheme = headers.get("x-forwarded-proto", scheme)
        addressed = Addressed(
            headers.get("host"),
            headers.get("origin"),
            scheme,
            headers.get("sec-fetch-site"),
            scope["method"] not in SAFE_METHODS,
        )
        address = client_address(scope, self._behind_gateway)
        return Caller(headers.get("authorization"), addressed, address)

    async def _audited(
        self, scope: Scope, receive: Receive, send: Send, who: str, caller: Caller
    ) -> None:
        status = 500
        facts: dict[str, object] = {}
        state = scope.setdefault("state", {})
        state["facts"], state["who"] = facts, _Who(who, partial(self._access.may, caller))

        async def noted(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            if "route" in scope:  # else there is nothing at this path
                facts = {**scope["path_params"], **facts}
                action = scope["route"].name
                audit(action, who=who, address=caller.address, status=status, **facts)


def describe_access(schema: dict[str, Any], open_paths: frozenset[str]) -> None:
    """Add the keys, and the answers to who has none, to an OpenAPI description."""
    schema["components"]["securitySchemes"] = SECURITY_SCHEMES
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if path not in open_paths:
                operation["security"] = security(*needed_scopes(method.upper(), path))
                for status, response in problem_responses(401, 403, 429).items():
                    operation["responses"].setdefault(str(status), response)
