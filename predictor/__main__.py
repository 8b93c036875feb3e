"""`python -m predictor`: serve the models of the store over HTTP until a signal ends it."""

import logging
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from predictor.server.allocator import return_memory
from predictor.server.arbiter import Port, ReplicaArbiter
from predictor.server.config import configuration, make_metrics_folder
from predictor.settings import PredictorSettings
from shared.access.access import Access
from shared.access.api_keys import KeyFile
from shared.access.audit import start_audit_log
from shared.errors import ReadsmithError
from shared.settings import read_settings

if TYPE_CHECKING:
    from predictor.feedback.image_archive import ImageArchive
    from predictor.feedback.outbox import Outbox

IDLE_TIMEOUT_SECONDS = 10
"""Longest pause of a client within a request or its answer, because it occupies a thread."""


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: PredictorSettings, port: Port) -> None:
        self._settings = settings
        self._port = port
        self._metrics_folder = make_metrics_folder()
        super().__init__()

    def load_config(self) -> None:
        for name, value in configuration(self._settings, self._metrics_folder).items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Serve until a signal ends it."""
        ReplicaArbiter(self, self._port).run()

    def load(self) -> Callable[..., Any]:
        """Build the app; gunicorn calls this in each worker, after the fork."""
        # Imported here: ONNX Runtime's threads do not survive a fork.
        from predictor.api.app import create_app  # noqa: PLC0415 - after the fork
        from predictor.models.registry import Registry  # noqa: PLC0415 - after the fork
        from predictor.telemetry.access_log import AccessLog  # noqa: PLC0415 - after the fork

        return_memory()
        start_audit_log()
        KeyFile(self._settings.keys).warn_if_exposed()
        registry = Registry(self._settings)
        registry.start()
        access_log = None
        # Off entirely above info: even unwritten lines cost time in each request.
        if logging.getLogger().isEnabledFor(logging.INFO):
            access_log = AccessLog(sys.stderr.fileno())
            access_log.start()
        return create_app(self._settings, registry, access_log, *_start_feedback(self._settings))


def _start_feedback(settings: PredictorSettings) -> "tuple[ImageArchive | None, Outbox | None]":
    """Start the image archive and the outbox, if they are on; call it after the fork."""
    from predictor.feedback.image_archive import ImageArchive  # noqa: PLC0415 - after the fork
    from predictor.feedback.outbox import Outbox  # noqa: PLC0415 - after the fork
    from predictor.feedback.trainer_client import TrainerClient  # noqa: PLC0415 - after the fork

    archive = outbox = None
    if settings.image_archive is not None:
        archive = ImageArchive(settings)
        archive.start()
    if settings.outbox is not None and settings.trainer_url is not None:
        outbox = Outbox(settings.outbox, TrainerClient(settings))
        outbox.start()
    return archive, outbox


def main() -> None:
    """Check the settings, bind the port, serve; exit code 2 for invalid settings."""
    try:
        settings = read_settings(PredictorSettings)
        host, port = settings.predictor_host, settings.predictor_port
        # Each worker makes its own; here, so that an error ends the start with one line and not
        # every worker with a traceback.
        Access(settings, host)
        settings.model_store()
    except ReadsmithError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    try:
        server = Port.bound(host, port)
    except OSError as error:
        sys.exit(
            f"Cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}. "
            "Set READSMITH_PREDICTOR_HOST or READSMITH_PREDICTOR_PORT to another."
        )
    _set_connection_options(server)
    _Server(settings, server).run()


def _set_connection_options(server: socket.socket) -> None:
    """Set the options that connections inherit: no delay of answers, timeouts for idle clients."""
    # Nagle's algorithm can hold an answer back for 40 ms. gunicorn has no timeout for a thread
    # that waits for its client: four silent ones stopped a predictor of four threads for good.
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        server.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", IDLE_TIMEOUT_SECONDS, 0))


if __name__ == "__main__":
    main()
