"""`python -m predictor`: serve the model store over HTTP until a signal ends it."""

import logging
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from predictor.server.arbiter import Port, ReplicaArbiter
from predictor.server.config import configuration
from predictor.settings import PredictorSettings
from shared.access.access import Access
from shared.access.audit import start_audit_log
from shared.errors import ReadsmithError
from shared.settings import read_settings

if TYPE_CHECKING:
    from predictor.feedback.image_archive import ImageArchive
    from predictor.feedback.outbox import Outbox

SILENCE_SECONDS = 10
"""How long a client may pause within a request or its answer, which holds a thread."""


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: PredictorSettings, port: Port) -> None:
        self._settings = settings
        self._port = port
        super().__init__()

    def load_config(self) -> None:
        for name, value in configuration(self._settings).items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Serve until a signal ends it."""
        ReplicaArbiter(self, self._port).run()

    def load(self) -> Callable[..., Any]:
        """Build the app; gunicorn calls this in each worker, after the fork."""
        from predictor.api.app import create_app  # noqa: PLC0415
        from predictor.models.registry import Registry  # noqa: PLC0415
        from predictor.telemetry.access_log import AccessLog  # noqa: PLC0415

        start_audit_log()
        registry = Registry(self._settings)
        registry.start()
        access_log = None
        if logging.getLogger().isEnabledFor(logging.INFO):
            access_log = AccessLog(sys.stderr.fileno())
            access_log.start()
        return create_app(self._settings, registry, access_log, *_start_feedback(self._settings))


def _start_feedback(settings: PredictorSettings) -> "tuple[ImageArchive | None, Outbox | None]":
    """Start to keep images and to hand over what waits; call it after the fork."""
    from predictor.feedback.image_archive import ImageArchive  # noqa: PLC0415
    from predictor.feedback.outbox import Outbox  # noqa: PLC0415
    from predictor.feedback.trainer_client import TrainerClient  # noqa: PLC0415

    kept = outbox = None
    if settings.image_archive is not None:
        kept = ImageArchive(settings)
        kept.start()
    if settings.outbox is not None and settings.trainer_url is not None:
        outbox = Outbox(settings.outbox, TrainerClient(settings))
        outbox.start()
    return kept, outbox


def main() -> None:
    """Check the settings, bind the port, serve; exit code 2 for what the user must change."""
    try:
        settings = read_settings(PredictorSettings)
        host, port = settings.predictor_host, settings.predictor_port
        Access(settings, host)  # each worker makes its own; what is wrong shows before
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
    _prepare(server)
    _Server(settings, server).run()


def _prepare(server: socket.socket) -> None:
    """Set what connections inherit: answers go out at once, silence ends reads and writes."""
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        server.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", SILENCE_SECONDS, 0))


if __name__ == "__main__":
    main()
