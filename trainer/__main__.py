"""The trainer's API: `python -m trainer`."""

import logging
import socket
import sys

import uvicorn

from shared.access.api_keys import KeyFile
from shared.access.audit import start_audit_log
from shared.errors import ReadsmithError, SetupError
from shared.logs import RepeatLimit
from shared.texts import log_as_text
from trainer.api.app import create_app
from trainer.api.server import BACKLOG, HEAD_BYTES, HttpProtocol
from trainer.settings import Settings, load_settings, startup_error
from trainer.subprocesses import ignore_signals

SHUTDOWN_SECONDS = 5
"""How long open event streams may delay the end."""


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    log_as_text()
    try:
        settings = load_settings()
        listener = _listen(settings)
        app = create_app(settings)
    except (ReadsmithError, OSError) as error:
        sys.exit(startup_error(error))
    start_audit_log()
    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        log_config=None,  # its loggers hand on to the root's
        h11_max_incomplete_event_size=HEAD_BYTES,
        ws="none",
        backlog=BACKLOG,
        proxy_headers=False,  # else any process on this machine could claim another address
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    KeyFile(settings.keys).warn_if_exposed()
    logging.getLogger("uvicorn.access").addFilter(_leave_out_query)
    _limit_repeats()
    ignore_signals()
    uvicorn.Server(config).run(sockets=[listener])


def _limit_repeats() -> None:
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatLimit())


def _leave_out_query(record: logging.LogRecord) -> bool:
    """Take the query out of a line of uvicorn's log: it may hold what is nobody's business."""
    if isinstance(record.args, tuple) and len(record.args) == 5:
        client, method, path, *rest = record.args
        record.args = (client, method, str(path).partition("?")[0], *rest)
    return True


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named: else 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        raise SetupError(
            "address_unavailable",
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.",
            "Set READSMITH_TRAINER_HOST and READSMITH_TRAINER_PORT to a free address.",
        ) from None
    return listener


if __name__ == "__main__":
    main()
