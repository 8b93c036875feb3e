"""docs/troubleshooting.md names codes and settings that there are."""

import re

from predictor.settings import PredictorSettings
from shared.errors import CODES
from tests.support.paths import ROOT
from trainer.settings import Settings

TEXT = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")


def test_every_code_is_one_of_the_table() -> None:
    headings = re.findall(r"^\*\*(.+?)\*\*", TEXT, re.M)
    codes = {code for heading in headings for code in re.findall(r"`([a-z_0-9]+)`", heading)}
    assert len(codes) > 10
    assert codes - {"text"} <= CODES.keys()


def test_every_setting_exists() -> None:
    known = {*Settings.model_fields, *PredictorSettings.model_fields, "trainer_port"}
    named = {name.lower() for name in re.findall(r"READSMITH_([A-Z_]+)", TEXT)}
    assert named
    assert named <= known
