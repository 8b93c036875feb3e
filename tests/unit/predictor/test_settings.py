from pathlib import Path

import pytest
from pydantic import ValidationError

from predictor.server import config as gunicorn_conf
from predictor.settings import PredictorSettings


def test_settings_come_from_the_environment_and_empty_ones_count_as_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("READSMITH_STORE", "/models")
    monkeypatch.setenv("READSMITH_PREDICTOR_PORT", "9000")
    monkeypatch.setenv("READSMITH_PREDICTOR_WORKERS", "")
    settings = PredictorSettings()
    assert (settings.store, settings.predictor_port) == ("/models", 9000)
    assert settings.predictor_workers is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREDICTOR_PORT", "0"),
        ("POLL_SECONDS", "0"),
        ("MAX_IMAGES", "-1"),
        ("DEFAULT_MODEL", "A/B"),
    ],
)
def test_a_setting_out_of_range_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"READSMITH_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        PredictorSettings()


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in PredictorSettings.model_fields.values())


@pytest.mark.parametrize(
    ("quota", "memory", "workers"),
    [
        ("max 100000", "max", 4),
        ("200000 100000", "max", 2),
        ("50000 100000", "max", 1),
        ("max 100000", "1073741824", 4),
        ("max 100000", str(3 * 270_000_000), 3),
        ("max 100000", "1000000", 1),
        (None, None, 4),
    ],
)
def test_workers_follow_the_cores_the_quota_and_the_memory_limit(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    quota: str | None,
    memory: str | None,
    workers: int,
) -> None:
    for constant, content in (("CPU_QUOTA", quota), ("MEMORY_LIMIT", memory)):
        file = tmp_path / constant
        if content is not None:
            file.write_text(content + "\n")
        monkeypatch.setattr(gunicorn_conf, constant, file)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2, 3})
    assert gunicorn_conf.default_workers(PredictorSettings()) == workers


def test_a_worker_is_reckoned_by_what_its_requests_may_take() -> None:
    plain = gunicorn_conf.worker_bytes(PredictorSettings())
    assert plain <= 256 * 1024 * 1024
    for larger in (
        {"max_body_bytes": 100_000_000},
        {"predictor_threads": 64},
        {"image_archive": "images"},
    ):
        assert gunicorn_conf.worker_bytes(PredictorSettings(**larger)) > plain


@pytest.mark.parametrize(
    ("files", "connections"), [(20_000, 1000), (1024, 888), (200, 64), (64, 9), (-1, 1000)]
)
def test_a_worker_accepts_as_many_connections_as_it_may_open_files(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _what: (files, files))
    assert gunicorn_conf.worker_connections(threads=8) == connections
