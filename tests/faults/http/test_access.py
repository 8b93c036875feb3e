"""Keys on both services as they run in earnest, behind the gateway."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import requests

from shared.access.api_keys import KeyFile
from shared.access.tokens import Scope
from shared.store.store import ModelStore
from tests.support.models.bundles import png, publish
from tests.support.services import services
from tests.support.services.services import TIMEOUT, needs_nginx

KEYS = 20
IN_A_ROW = 10
"""Answers that must agree: each may come from another of the predictor's processes."""

pytestmark = needs_nginx


@dataclass(frozen=True)
class Stack:
    """Trainer, predictor with two processes, and the gateway before them."""

    folder: Path
    keys: KeyFile
    trainer: str
    predictor: str

    def statuses(self, token: str) -> set[int]:
        """Ask both with a key, over new connections, and return what they answer."""
        headers = {"Authorization": f"Bearer {token}"}
        urls = [f"{self.trainer}/jobs", *[f"{self.predictor}/models"] * IN_A_ROW]
        return {requests.get(url, headers=headers, timeout=TIMEOUT).status_code for url in urls}

    def seconds_until(self, token: str, status: int) -> float:
        """Return how long it takes until all answer so."""
        begin = time.monotonic()
        while self.statuses(token) != {status}:
            assert time.monotonic() - begin < TIMEOUT, "it never happened"
        return time.monotonic() - begin

    def logs(self) -> str:
        """All that the three have written."""
        names = ("trainer.log", "predictor.log", "nginx/log")
        return "".join((self.folder / name).read_text() for name in names)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("services")
    publish(ModelStore(folder / "models"), folder / "build")
    keys = KeyFile(folder / "keys" / "keys.json")
    first = keys.create("first", [Scope.ADMIN])
    chosen = {"READSMITH_KEYS": str(keys.path), "READSMITH_BEHIND_GATEWAY": "1"}
    with (
        services.trainer(folder, None, **chosen) as trainer,
        services.predictor(folder, None, READSMITH_PREDICTOR_WORKERS="2", **chosen) as predictor,
        services.gateway(folder / "nginx", trainer, predictor) as gateway,
    ):
        urls = (f"http://127.0.0.1:{port}" for port in (gateway.trainer, gateway.predictor))
        stack = Stack(folder, keys, *urls)
        stack.seconds_until(first, 200)  # both processes have loaded the model
        yield stack


def test_a_key_is_in_force_and_out_of_it_within_seconds(stack: Stack) -> None:
    made, revoked = [], []
    for number in range(KEYS):
        token = stack.keys.create(f"key-{number}", [Scope.TRAIN, Scope.PREDICT])
        made.append(stack.seconds_until(token, 200))
        stack.keys.revoke(f"key-{number}")
        revoked.append(stack.seconds_until(token, 401))
    assert max(made + revoked) < 10
    print(
        f"{KEYS} of {KEYS} keys: in force after {max(made):.1f} s at most, "
        f"revoked after {max(revoked):.1f} s at most"
    )


def test_a_key_is_in_no_log_and_no_answer(stack: Stack) -> None:
    good = stack.keys.create("good", [Scope.ADMIN])
    weak = stack.keys.create("weak", [Scope.PREDICT], requests_per_minute=5)
    stack.seconds_until(good, 200)
    gone = good[:-1] + ("A" if good[-1] != "A" else "B")
    headers = [
        {"Authorization": form.format(token)}
        for form, token in product(
            ("Bearer {}", "bearer {}", "Basic {}", "{}", "Bearer {}x", 'Bearer "{}"'),
            (good, gone, weak),
        )
    ]
    asked = [
        (method, f"{service}{path}")
        for service, paths in {
            stack.trainer: ("/jobs", "/models/default/rollback", "/nowhere", "/datasets"),
            stack.predictor: ("/predict", "/models", "/nowhere"),
        }.items()
        for method, path in product(("GET", "POST"), paths)
    ]
    answers = [
        requests.request(method, url, headers=header, data=png("ab"), timeout=TIMEOUT)
        for (method, url), header in product(asked, headers)
    ]
    assert {200, 401, 403, 404, 429} <= {answer.status_code for answer in answers}
    said = "".join(f"{answer.headers} {answer.text}" for answer in answers) + stack.logs()
    for token in (good, gone, weak):
        assert token[12:-1] not in said
    print(f"{len(answers)} requests, {len(said):,} bytes of answers and logs: no key in them")


def test_behind_the_gateway_the_address_is_what_the_gateway_saw(stack: Stack) -> None:
    spoofed = {"X-Forwarded-For": "198.51.100.7"}
    requests.post(f"{stack.trainer}/jobs", headers=spoofed, timeout=TIMEOUT)
    requests.post(f"{stack.predictor}/predict", headers=spoofed, timeout=TIMEOUT)
    lines = [json.loads(line) for line in stack.logs().splitlines() if line.startswith("{")]
    addresses = {line["address"] for line in lines if "address" in line}
    assert addresses == {"127.0.0.1"}
