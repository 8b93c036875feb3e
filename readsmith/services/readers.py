"""Two ways to read images: with a version from a store, or through a running predictor."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from predictor.requests.options import PredictionOptions
from readsmith.client import Client, ServiceError
from readsmith.options import options
from readsmith.published import default_model, load
from shared.errors import ReadsmithError
from shared.store.builtin import STARTER, UNTRAINED

Answer = dict[str, Any]


class Reader(Protocol):
    """Reads images as the predictor does; raises ReadsmithError."""

    def read(self, images: Sequence[bytes]) -> Iterable[Answer | ReadsmithError]:
        """Return for each image what the predictor answers, or why it has no prediction."""

    def combine(self, images: Sequence[bytes]) -> Answer:
        """Return what the predictor answers about several shots of one thing."""


class StoreReader:
    """Reads with a version from a store, or with the starter where nothing is published yet."""

    def __init__(self, store: str, asked: PredictionOptions) -> None:
        model = asked.model or default_model(store)
        self._published = load(store, model, asked.version)
        engine = self._published.engine
        self._wanted = asked.with_settings(self._published.settings, engine.require_possible)
        self._origin = {"model": model, "version": engine.manifest.version}
        if asked.model is None and model == STARTER:
            self._origin["note"] = UNTRAINED

    def read(self, images: Sequence[bytes]) -> Iterator[Answer | ReadsmithError]:
        """Return for each image what the predictor answers, or why it has no prediction."""
        for answer in self._published.read(images, self._wanted):
            yield answer if isinstance(answer, ReadsmithError) else answer | self._origin

    def combine(self, images: Sequence[bytes]) -> Answer:
        """Return what the predictor answers about several shots of one thing."""
        return self._published.combine(images, self._wanted) | self._origin


class PredictorReader:
    """Reads through a running predictor."""

    def __init__(self, url: str, asked: PredictionOptions) -> None:
        self._client = Client(url, retries=options.RETRIES, api_key=options.api_key())
        self._asked: Any = asked.model_dump(exclude_none=True)

    def read(self, images: Sequence[bytes]) -> Iterator[Answer | ReadsmithError]:
        """Return for each image what the predictor answers, or why it has no prediction."""
        for answer in self._client.predict_many(images, **self._asked):
            yield answer if isinstance(answer, ServiceError) else answer.as_sent()

    def combine(self, images: Sequence[bytes]) -> Answer:
        """Return what the predictor answers about several shots of one thing."""
        return self._client.predict_combined(images, **self._asked).as_sent()


def open_reader(store: str, url: str | None, asked: PredictionOptions) -> Reader:
    """Return a reader of a predictor if its URL is given, else of a store.

    Raises ReadsmithError for a version or limits that cannot be read with.
    """
    return PredictorReader(url, asked) if url else StoreReader(store, asked)
