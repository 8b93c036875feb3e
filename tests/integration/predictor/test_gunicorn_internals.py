"""What the predictor replaces in gunicorn, or relies on, is what it was checked against.

That the replacements do what they are for, in gunicorn as it runs, is tested below and in
test_raw_requests (write_problem), test_keep_alive (announce_close), test_replicas (Port,
ReplicaArbiter) and test_signals (ReplicaArbiter).
"""

import ast
import hashlib
import re
import socket
import time
import tomllib
from contextlib import ExitStack
from importlib.metadata import version
from importlib.util import find_spec
from inspect import isfunction
from pathlib import Path
from typing import Any

import pytest
from gunicorn.workers.gthread import ThreadWorker
from packaging.requirements import Requirement
from packaging.version import Version

from predictor.server import arbiter, patches
from predictor.server.arbiter import Port
from tests.support.paths import ROOT
from tests.support.services import services

INSTALLED = Version(version("gunicorn"))
CHECKED: dict[Any, dict[str, str]] = {
    patches.write_problem: {
        "gunicorn.util:write_error": "08cb73f16f6e7aca",
        "gunicorn.util:write_nonblock": "916c68ba0a0c84bc",
        "gunicorn.workers.base:Worker.handle_error": "25d086c9036ed518",  # its statuses: CODES
    },
    patches.close_soon: {
        "gunicorn.util:close_graceful": "27bea91dbdb3a3a7",
        "gunicorn.workers.gthread:TConn.close": "8c44a09e20eb6a87",
        "gunicorn.workers.gthread:ThreadWorker.finish_request": "5c41aa75a029fd4e 7de6310439343f73",
    },
    patches.announce_close: {
        "gunicorn.http.wsgi:Response.default_headers": "f41680b6e57a8c97",
        "gunicorn.http.wsgi:Response.should_close": "9c108b7e187cf1dc",
        "gunicorn.http.body:Body": "d3fc44325b489fdc",
        "gunicorn.http.body:LengthReader": "1241659f0f515bb3",
        "gunicorn.http.parser:Parser.finish_body": "f45c06ae7121e546",
    },
    patches.write_whole: {
        "gunicorn.http.wsgi:create": "885d39aec3ca5236",
        "gunicorn.http.wsgi:Response.send_headers": "0bbf8c9b4f30cd94",
        "gunicorn.http.wsgi:Response.write": "c7991dc75dceb4e2",
        "gunicorn.http.wsgi:Response._emit_body": "104071980b5bb8ae",
        "gunicorn.util:write": "a59c3b84d22d3124",  # all that is called on the socket is sendall
        "gunicorn.util:write_chunk": "c67683f93f52dff3",
    },
    arbiter.Port: {
        "gunicorn.arbiter:Arbiter.start": "ae11077c16c8823e",  # makes no LISTENERS if there are
        "gunicorn.sock:close_sockets": "3f920759ce04da15",
        "gunicorn.workers.base:Worker.init_process": "177e2efd8e92ca5a",  # its hook: open_port
        "gunicorn.workers.gthread:ThreadWorker.accept": "19c1d90d02a64fa8",
        "gunicorn.workers.gthread:ThreadWorker.handle_exit": "7700b4585e9841f4",
        "gunicorn.workers.gthread:ThreadWorker.set_accept_enabled": "78b13c6db0ed6d59",
    },
    arbiter.ReplicaArbiter: {
        "gunicorn.arbiter:Arbiter.handle_usr2": "bedbd985afca0a38",
        "gunicorn.arbiter:Arbiter.reload": "f700e5277eec9a4f",
        "gunicorn.arbiter:Arbiter.stop": "6d282da143042438",
        "gunicorn.workers.gthread:ThreadWorker.run": "7107daf76dc82aa5 07d09ff570f478f8",
    },
}
"""By what stands in for them or relies on them: internals, and digests of their code, one for
each way in which the checked versions have it."""

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


def connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def digest(internal: str) -> str:
    """Of the code without comments, docstrings and layout, as it lies on the disk."""
    module, _, path = internal.partition(":")
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return "no such module"
    node: Any = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for name in path.split("."):
        found = [each for each in node.body if getattr(each, "name", None) == name]
        if len(found) != 1:
            return f"{len(found)} definitions"
        [node] = found
    if ast.get_docstring(node) is not None:
        del node.body[0]
    return hashlib.sha256(ast.unparse(node).encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("ours", "internal"),
    [(ours, internal) for ours, internals in CHECKED.items() for internal in internals],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_gunicorn_has_not_changed_what_is_replaced_or_relied_on(ours: Any, internal: str) -> None:
    found = digest(internal)
    assert found in CHECKED[ours][internal].split(), (
        f"gunicorn {INSTALLED} changed {internal}. Read what is new and whether "
        f"{ours.__module__}.{ours.__name__} is still right, or no longer needed; run this file, "
        "test_raw_requests, test_slow_clients, test_keep_alive, test_replicas, test_signals and "
        "test_server; then record "
        f"{found!r} here and the versions in the docstring."
    )


@pytest.mark.parametrize("ours", CHECKED, ids=lambda ours: ours.__name__)
def test_the_versions_that_each_replacement_was_checked_on_are_those_that_are_allowed(
    ours: Any,
) -> None:
    said = re.search(r"Checked on gunicorn (\S+) to (\S+)\.\n", ours.__doc__)
    assert said, f"{ours.__name__} does not say what it was checked on"
    first, last = map(Version, said.groups())
    assert first <= INSTALLED <= last, f"run the tests on {INSTALLED} and say so in the docstring"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [allowed] = [
        each.specifier
        for each in map(Requirement, project["optional-dependencies"]["predictor"])
        if each.name == "gunicorn"
    ]
    assert str(allowed) == str(Requirement(f"x>={first},<{last.major + 1}").specifier)


def test_every_replacement_is_among_the_checked() -> None:
    functions = vars(patches).values()
    here = {each for each in functions if getattr(each, "__module__", "") == patches.__name__}
    public = {each for each in here if isfunction(each) and not each.__name__.startswith("_")}
    assert public - {patches.replace_internals} <= CHECKED.keys()


def test_an_answer_of_a_running_predictor_comes_in_one_piece(tmp_path: Path) -> None:
    with services.predictor(tmp_path) as predictor, connection(predictor.port) as client:
        for _ in range(200):  # a head by itself mostly arrives by itself
            client.sendall(REQUEST + b"\r\n")
            head, _, body = client.recv(65536).partition(b"\r\n\r\n")
            assert f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"


def test_clients_that_leave_their_connections_open_hold_up_nobody(tmp_path: Path) -> None:
    with services.predictor(tmp_path) as predictor, ExitStack() as left_open:
        began = time.monotonic()
        for _ in range(5):  # gunicorn's own way would take 2 s for each but the last
            client = left_open.enter_context(connection(predictor.port))
            client.sendall(REQUEST + b"Connection: close\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
            assert client.recv(65536) == b""
        assert time.monotonic() - began < 4


def test_a_worker_outlives_a_port_that_refuses() -> None:
    with Port.bound("127.0.0.1", services.free_port()) as port:
        port.listen()
        port.refuse()
        assert ThreadWorker.accept(None, port) is None  # what it raised would end the worker
