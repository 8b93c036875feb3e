"""What is not quite HTTP, sent straight to uvicorn: the long form goes through the gateway."""

import re
from pathlib import Path

from tests.support.hostile.raw_requests import complaints
from tests.support.services import services


def test_odd_requests_are_refused_with_a_problem_or_taken_as_one(tmp_path: Path) -> None:
    with services.trainer(tmp_path) as trainer:

        def seen() -> list[str]:
            return re.findall(r"case=([\w-]+)", trainer.log.read_text())

        wrong = complaints(trainer.port, "/jobs", seen)
        assert not wrong, "\n".join(wrong)
        assert "Traceback" not in trainer.log.read_text()
