import pytest

from trainer.settings import Settings
from trainer.workers.child import start_child


def test_what_matplotlib_finds_out_about_fonts_is_kept_for_the_next_job(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    order = {"settings": settings.model_dump(mode="json"), "claim": ["a" * 32, 1]}
    child = start_child(order, ["-c", "import matplotlib.font_manager"])
    assert child.wait(timeout=120) == 0
    assert list((settings.state / "matplotlib").glob("fontlist*.json"))
