"""A profile of a request: the real app in this process, with its functions timed."""

import asyncio
import io
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

from werkzeug.test import EnvironBuilder

from benchmarks.errors import BenchmarkError
from benchmarks.serving.client import ask_one_by_one, message, upload
from benchmarks.serving.services import predictor
from benchmarks.serving.setting import Figures, Setting
from benchmarks.table import Row
from trainer.subprocesses import in_clean_process

STEPS = {
    "parse the upload": ["predictor.requests.images.parse"],
    "open and decode the image": ["shared.recognition.preprocessing.open_image"],
    "preprocess": [
        "shared.recognition.preprocessing.fit",
        "shared.recognition.preprocessing.normalize",
    ],
    "model": ["predictor.models.engine.Engine._probabilities"],
    "decode the text": ["shared.recognition.decoding.decode"],
    "describe the prediction": ["predictor.api.answers.describe"],
    "JSON and response": ["flask.json.provider.DefaultJSONProvider.response"],
    "metrics": [
        "predictor.telemetry.metrics.request_answered",
        "predictor.telemetry.metrics.predictions_made",
    ],
}
"""The functions of each step, where they are defined."""
OURS = ("predictor.", "shared.")
REST = "Flask and the app around these"
SERVER = "gunicorn, sockets and the kernel"


class Stopwatch:
    """Times nested functions; each one's time excludes that of the others."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = defaultdict(float)
        self._within = [0.0]

    def timed(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the function so that each call adds its own time to the step's."""

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._within.append(0.0)
            begin = self._clock()
            try:
                return function(*args, **kwargs)
            finally:
                seconds = self._clock() - begin
                self.seconds[step] += seconds - self._within.pop()
                self._within[-1] += seconds

        return wrapper

    def time_everywhere(self, step: str, function: str, patches: ExitStack) -> None:
        """Time a function in all our modules that import it, until the patches are undone."""
        real = resolve_name(function)
        owner, _, name = function.rpartition(".")
        ours = [each for key, each in sys.modules.items() if key.startswith(OURS)]
        for namespace in (resolve_name(owner), *ours):
            if vars(namespace).get(name) is real:
                patches.enter_context(patch.object(namespace, name, self.timed(step, real)))


def measure(setting: Setting) -> Figures:
    """Time the steps in a clean process, then a request's CPU time under gunicorn."""
    requests = setting.number(2000, 200)
    folder = setting.scratch / "metrics"
    folder.mkdir()
    with patch.dict(os.environ, PROMETHEUS_MULTIPROC_DIR=str(folder)):  # as under gunicorn
        steps = in_clean_process(step_milliseconds, setting.conv, setting.image, requests)
    with predictor(setting.conv, predictor_workers=1) as service:
        service.wait_until_it_predicts(setting.image, setting.text)
        [worker] = service.workers()
        before = worker.cpu_seconds()
        asyncio.run(ask_one_by_one(service.port, message(setting.image), requests))
        whole = 1000 * (worker.cpu_seconds() - before) / requests
    server = {SERVER: max(0.0, whole - sum(steps.values()))}
    return {"requests": requests, "milliseconds": steps | server}


def step_milliseconds(store: Path, image: bytes, requests: int) -> dict[str, float]:
    """Return the median milliseconds of each step; for a clean process.

    The app is called as a WSGI server calls it, without a client's work in between.
    """
    from predictor.api.app import create_app  # noqa: PLC0415
    from predictor.models.registry import Registry  # noqa: PLC0415
    from predictor.settings import PredictorSettings  # noqa: PLC0415

    settings = PredictorSettings(store=store)
    registry = Registry(settings)
    registry.poll()
    app = create_app(settings, registry)
    body, kind = upload(image)
    environ = EnvironBuilder(path="/predict", method="POST", data=body, content_type=kind)
    first = environ.get_environ()
    watch, found = Stopwatch(), []

    def call() -> None:
        answer = app.wsgi_app({**first, "wsgi.input": io.BytesIO(body)}, _expect_success)
        b"".join(answer)

    with ExitStack() as patches:
        for step, functions in STEPS.items():
            for function in functions:
                watch.time_everywhere(step, function, patches)
        for _ in range(requests):
            watch.seconds.clear()
            watch.timed(REST, call)()
            found.append(dict(watch.seconds))
    later = found[requests // 10 :]  # the first ones warm up
    return {
        step: 1000 * statistics.median(each.get(step, 0.0) for each in later)
        for step in (*STEPS, REST)
    }


def _expect_success(status: str, _headers: object, _error: object = None) -> Any:
    if not status.startswith("200"):
        raise BenchmarkError("requests_failed", f"The app answered {status}.")


def rows(figures: Figures) -> Sequence[Row]:
    """Return each step's time and share, without targets."""
    steps: dict[str, float] = figures["milliseconds"]
    whole = sum(steps.values())
    return [
        Row(
            what=f"of a request: {step}",
            reference="",
            ours=f"{milliseconds:.3f} ms",
            ratio=f"{100 * milliseconds / whole:.0f} %",
            target="",
            reached=None,
        )
        for step, milliseconds in steps.items()
    ]
