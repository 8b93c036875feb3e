"""1,500 slow heads where a service may open 1,024 files."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.predictor.test_connections import (
    MOST_LOG_BYTES,
    Start,
    hold_slow_heads,
    open_files,
)
from tests.support.services import services
from tests.support.services.memory import exchange


@pytest.mark.parametrize("start", [services.predictor, services.trainer])
def test_slow_heads_fill_no_log(
    tmp_path: Path, record_property: Callable[[str, object], None], start: Start
) -> None:
    with ExitStack() as stack:
        with open_files(1024):
            service = stack.enter_context(start(tmp_path))
        hold_slow_heads(service, number=1500, seconds=30)
        assert exchange(service.port, "GET", "/healthz", (b"", {}))[0] == 200
        assert service.process.poll() is None
    size = service.log.stat().st_size
    record_property(f"{start.__name__}: log", f"{size / 1000:.0f} kB in 30 s")
    assert size < MOST_LOG_BYTES
