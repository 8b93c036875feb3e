"""Opens the port once models are loaded, and closes it as soon as the predictor is told to end.

gunicorn alone accepts connections in both phases that nobody answers: at the start they wait until
the models are loaded, at the end until the last request is done, and are then lost. If they are
refused, the gateway asks another replica at once.
"""

import errno
import logging
import os
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Why a connection cannot be accepted now, though later it may be."""
ACCEPT_PAUSE_SECONDS = 0.1

log = logging.getLogger("readsmith.predictor")


class Port(socket.socket):
    """A bound socket shared by all processes: one opens or closes it for all.

    Replaces gunicorn's own sockets, which listen as soon as they exist, those of `bind = "fd://…"`
    included. benoitc/gunicorn#2778 requested to listen later, and was declined.
    Checked on gunicorn 27.0.0 to 27.0.1.
    """

    @classmethod
    def bound(cls, host: str, port: int) -> "Port":
        """Bind a port without listening yet; raises OSError if it is in use."""
        bound = cls(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            bound.bind((host, port))
        except OSError:
            bound.close()
            raise
        return bound

    def __str__(self) -> str:
        host, port = self.getsockname()[:2]
        return f"{host} port {port}"

    def refuse(self) -> None:
        """Refuse connections until a worker listens again; the port stays bound."""
        with suppress(OSError):  # it did not listen
            self.shutdown(socket.SHUT_RD)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection; raises BlockingIOError if there is none, or the port is closed.

        Also, after a pause, if no more files can be opened: other programs use them up, too.
        """
        try:
            return super().accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                log.error("cannot accept connections: %s", error.strerror)
                time.sleep(ACCEPT_PAUSE_SECONDS)
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
            # EINVAL: the port was closed meanwhile. gunicorn's worker would die of that error.
            if error.errno == errno.EINVAL:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
            raise


class ReplicaArbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's main process, which closes the port before it tells its workers to end.

    gunicorn closes only its own copy of the socket, and its threaded workers close theirs after
    their last request (benoitc/gunicorn#922). No hook is called at that moment.
    Checked on gunicorn 27.0.0 to 27.0.1.
    """

    def __init__(self, app: BaseApplication, port: Port) -> None:
        super().__init__(app)
        self.LISTENERS = [port]

    def stop(self, graceful: bool = True) -> None:
        """Refuse connections, let the workers finish their requests, and end."""
        for port in self.LISTENERS:
            port.refuse()
        super().stop(graceful)

    def handle_usr2(self) -> None:
        """Ignore SIGUSR2, for which gunicorn starts itself again on a port that is taken."""
        log.warning("SIGUSR2 is ignored; SIGHUP replaces the workers")


def open_port(worker: Any) -> None:
    """Accept connections; the first worker that has loaded its models does so for all."""
    if not worker.alive:  # told to end meanwhile: it must not open the port again
        return
    for port in worker.sockets:
        try:
            port.listen(worker.cfg.backlog)
        except OSError as error:
            # Two programs may bind a port with SO_REUSEADDR; only one can listen on it.
            log.error("cannot listen: %s", os.strerror(error.errno or 0))
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
