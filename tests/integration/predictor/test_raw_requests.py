"""What is not quite HTTP, sent straight to gunicorn: the long form goes through the gateway."""

import json
from pathlib import Path

from tests.support.hostile.raw_requests import complaints
from tests.support.services import services


def test_odd_requests_are_refused_with_a_problem_or_taken_as_one(tmp_path: Path) -> None:
    with services.predictor(tmp_path) as predictor:

        def seen() -> list[str]:
            lines = predictor.log.read_text().splitlines()
            return [json.loads(line).get("request_id", "") for line in lines]

        wrong = complaints(predictor.port, "/predict", seen)
        assert not wrong, "\n".join(wrong)
        assert "Traceback" not in predictor.log.read_text()
