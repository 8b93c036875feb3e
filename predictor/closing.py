"""Ends connections beside gunicorn's main loop, which would wait for each client to end it, too."""

import socket
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from gunicorn.util import close_graceful

LINGER_SECONDS = 0.5
"""How long to read on, so that an answer is not cut off by a reset."""
AT_A_TIME = 32


def close_soon(client: socket.socket) -> None:
    """End a connection; stands in for gunicorn.util.close_graceful, which takes up to 2 s."""
    _threads().submit(close_graceful, client, LINGER_SECONDS)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="closing")
