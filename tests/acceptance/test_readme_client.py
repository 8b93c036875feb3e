"""The README's Python does what it shows, with both services."""

import re
import threading
import time
from pathlib import Path

import pytest
import requests

from readsmith.client import Client
from shared.store.store import ModelStore
from tests.support.labelled_images import labelled_zip
from tests.support.models.bundles import png, publish
from tests.support.paths import ROOT
from tests.support.services import services

README = ROOT / "README.md"


def cancel_the_first_job(trainer: str) -> None:
    """Stand in for a worker: bring the job to an end."""
    client = Client(trainer_url=trainer)
    while not (jobs := client.jobs()):
        time.sleep(0.1)
    client.cancel(jobs[0].id)


def test_the_example_in_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for name in ("captcha.png", "1.png", "2.png"):
        Path(name).write_bytes(png("ab"))
    labelled_zip(Path("my-captchas.zip"), ["A", "B"])
    store = ModelStore(tmp_path / "models")
    for model in ("captcha", "captcha", "default"):
        publish(store, tmp_path / "build", model=model)
    store.promote("captcha", 1)

    with (
        services.trainer(tmp_path) as trainer,
        services.predictor(tmp_path, READSMITH_TRAINER_URL=trainer.url) as predictor,
    ):
        urls = {"http://localhost:8080": predictor.url, "http://localhost:8000": trainer.url}
        for documented, running in urls.items():
            assert documented in example
            example = example.replace(documented, running)
        threading.Thread(target=cancel_the_first_job, args=(trainer.url,), daemon=True).start()
        exec(example, {})
        corrected = requests.get(f"{trainer.url}/models/captcha/corrections", timeout=30).json()

    printed = capsys.readouterr().out
    assert re.search(r"^[abc]{5} 0", printed, re.MULTILINE)
    assert "ab\nab\n" in printed
    assert printed.endswith("Cancelled before it started.\n")
    assert store.current("captcha") == 2
    assert [correction["text"] for correction in corrected["data"]] == ["2b827"]
