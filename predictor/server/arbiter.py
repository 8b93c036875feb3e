"""Opens the port when there is something to read with, and closes it at the first sign of the end.

Between the two, gunicorn alone would let connections in that nobody answers: those of a start
wait until the models are loaded, those of an end until the last request is done, and are lost
then. Refused, they go to another replica at once.
"""

import errno
import logging
import os
import socket
import sys
from contextlib import suppress
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

log = logging.getLogger("readsmith.predictor")


class Port(socket.socket):
    """A bound socket that all processes share: what one opens or closes is so for all.

    Stands in for gunicorn's own sockets, which listen as soon as they exist, those of
    `bind = "fd://…"` included. benoitc/gunicorn#2778 asked for later, and was declined.
    Checked on gunicorn 27.0.0 to 27.0.1.
    """

    @classmethod
    def bound(cls, host: str, port: int) -> "Port":
        """Take a port and refuse connections from the start; raises OSError if someone listens."""
        made = cls(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            made.bind((host, port))
        except OSError:
            made.close()
            raise
        return made

    def __str__(self) -> str:
        host, port = self.getsockname()[:2]
        return f"{host} port {port}"

    def refuse(self) -> None:
        """Refuse connections until someone listens again; the port stays bound."""
        with suppress(OSError):  # nobody listens
            self.shutdown(socket.SHUT_RD)

    def accept(self) -> tuple[socket.socket, Any]:
        """Take a connection; raises BlockingIOError if there is none, or none any more."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno == errno.EINVAL:  # nobody listens; gunicorn's worker would die of it
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
            raise


class ReplicaArbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's main process, which closes the port before it tells its workers to end.

    Gunicorn closes its own copy of the socket only, and its threaded workers close theirs after
    their last request (benoitc/gunicorn#922). No hook is called at that moment.
    Checked on gunicorn 27.0.0 to 27.0.1.
    """

    def __init__(self, app: BaseApplication, port: Port) -> None:
        super().__init__(app)
        self.LISTENERS = [port]

    def stop(self, graceful: bool = True) -> None:
        """Refuse connections, let the workers finish what they have, and end."""
        for port in self.LISTENERS:
            port.refuse()
        super().stop(graceful)


def open_port(worker: Any) -> None:
    """Let connections in; a worker does this once it can answer, for all of them."""
    if not worker.alive:  # told to end meanwhile
        return
    for port in worker.sockets:
        try:
            port.listen(worker.cfg.backlog)
        except OSError as error:  # it was free when the main process began
            log.error("cannot listen: %s", os.strerror(error.errno or 0))
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
