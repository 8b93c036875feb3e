"""Drawn lines: the same again from the same seed, of every kind, in bounds."""

import csv
import hashlib
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS

from trainer.pipeline.starter.drawing import CHARACTERS, KINDS, Drawer, Drawn, Fonts
from trainer.pipeline.starter.drawing.drawer import SHARES
from trainer.pipeline.starter.drawing.fonts import survey
from trainer.pipeline.starter.drawing.fonts.fonts import CSV, Face, installed_faces
from trainer.pipeline.starter.drawing.texts import LONGEST, needs

FONT = Path(DEFAULT_FONTS[0])
FACE = Face(FONT, "Droid Sans Mono", "mono", "lpcm")


def drawer(seed: int) -> Drawer:
    return Drawer(seed, Fonts([FACE]))


@pytest.fixture(scope="module")
def many() -> list[Drawn]:
    lines = drawer(11)
    return [lines.draw() for _ in range(600)]


def test_the_same_seed_draws_the_same_lines_and_another_seed_others() -> None:
    first, second, other = drawer(1), drawer(1), drawer(2)
    differ = 0
    for _ in range(40):
        drawn, again, different = first.draw(), second.draw(), other.draw()
        assert (again.text, again.kind) == (drawn.text, drawn.kind)
        assert (again.image.size, again.image.tobytes()) == (
            drawn.image.size,
            drawn.image.tobytes(),
        )
        differ += different.image.tobytes() != drawn.image.tobytes()
    assert differ == 40


def test_texts_are_composed_and_bounded_and_of_known_characters(many: list[Drawn]) -> None:
    for drawn in many:
        assert unicodedata.normalize("NFC", drawn.text) == drawn.text
        assert len(drawn.text) <= LONGEST
        assert drawn.text == drawn.text.strip()
        assert set(drawn.text) <= set(CHARACTERS)
        assert bool(drawn.text) == (drawn.kind != "nothing")


def test_images_are_of_the_sizes_that_images_have(many: list[Drawn]) -> None:
    heights = [drawn.image.height for drawn in many]
    assert all(drawn.image.mode == "RGB" for drawn in many)
    assert 14 <= min(heights) <= 24
    assert 80 <= max(heights) <= 160
    assert max(drawn.image.width for drawn in many) <= 1600


def test_every_kind_is_drawn_about_as_often_as_its_share_says(many: list[Drawn]) -> None:
    total = sum(SHARES.values())
    for kind in KINDS:
        count = sum(drawn.kind == kind for drawn in many)
        assert 0.4 < count / (len(many) * SHARES[kind] / total) < 2


def test_most_lines_are_ascii_and_some_are_not(many: list[Drawn]) -> None:
    others = sum(not drawn.text.isascii() for drawn in many) / len(many)
    assert 0.04 < others < 0.2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "nothing"])
def test_what_is_drawn_stands_out_from_its_ground(kind: str) -> None:
    lines = drawer(3)
    contrasts = []
    for _ in range(12):
        levels = np.asarray(lines.draw(kind).image.convert("L"), np.float32)
        contrasts.append(float(np.ptp(np.percentile(levels, (2, 98)))))
    assert np.median(contrasts) > 60


def test_fonts_that_are_missing_or_changed_are_left_out(tmp_path: Path) -> None:
    content = FONT.read_bytes()
    (tmp_path / "same.ttf").write_bytes(content)
    (tmp_path / "changed.ttf").write_bytes(content + b"\0")
    digest = hashlib.sha256(content).hexdigest()
    table = tmp_path / "fonts.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "family", "kind", "covers", "sha256"))
        for name in ("absent.ttf", "changed.ttf", "same.ttf"):
            rows.writerow((name, "Droid", "mono", "lp", digest))
    faces = installed_faces(table, tmp_path)
    assert [face.path.name for face in faces] == ["same.ttf"]


def test_without_any_font_the_error_says_what_installs_them() -> None:
    with pytest.raises(ValueError, match="make starter-fonts"):
        Fonts([])


def test_the_list_of_fonts_is_sorted_and_names_each_once() -> None:
    with CSV.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["file"] for row in rows]
    assert len(names) > 500
    assert names == sorted(set(names))
    assert all(len(row["sha256"]) == 64 for row in rows)


def test_installed_fonts_draw_every_kind_of_character() -> None:
    faces = installed_faces()
    if not faces:
        pytest.skip("no font of fonts.csv is installed: make starter-fonts")
    lines = Drawer(5, Fonts(faces))
    assert {drawn.kind for drawn in (lines.draw() for _ in range(300))} == set(KINDS)


def test_the_survey_sees_what_a_font_covers_and_leaves_out_what_is_none(tmp_path: Path) -> None:
    font = survey.look(FONT)
    assert font is not None
    assert font.fixed_pitch
    assert "p" in font.covers
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert survey.look(tmp_path / "broken.ttf") is None


def test_a_text_needs_the_groups_of_its_characters() -> None:
    assert needs("AB12") == ""
    assert set(needs("Abé§")) == {"l", "c", "m"}
