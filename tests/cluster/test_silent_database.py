"""A database host that is cut off: nobody waits a quarter of an hour for it."""

import time
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from tests.cluster import services
from tests.cluster.hosts import network
from tests.support.services.workers import wait_until
from trainer.database.tables import Database

NOTICED_SECONDS = 40
"""15 for the connection that there was and 10 for a new one; the rest is for a busy machine."""


def test_a_database_that_falls_silent_is_noticed_and_found_again(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        server, client = net.host("server", services.HEAD), net.host("client", "10.77.0.2")
        with server.network():
            services.start_database(server)
        with client.network():
            database = Database(services.SETTINGS["READSMITH_DATABASE_URL"])
            net.cut_off(server)
            begin = time.monotonic()
            with pytest.raises(ReadsmithError) as caught:
                database.is_current()
            seconds = time.monotonic() - begin
            assert caught.value.code == "database_unavailable"
            assert seconds < NOTICED_SECONDS
            print(f"noticed after {seconds:.0f} s: {caught.value.message}")
            net.plug_in(server)
            wait_until(lambda: works(database), 60)
            database.close()


def works(database: Database) -> bool:
    try:
        return database.is_current()
    except ReadsmithError:
        return False
