"""Several shots of one thing, on outputs that are counted out, and on a tiny real model."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from predictor.models import engine as engine_module
from predictor.models.engine import Engine
from predictor.models.shots import Shot, ShotDecoder, _softened, weight
from shared.errors import ImageRejectedError, LimitsError, TooLargeError
from shared.patterns.limits import ANYTHING, Limits
from shared.recognition.decoding import DecodedText, Hypothesis, text_probability
from shared.recognition.vocabulary import Vocabulary
from shared.store.manifest import ONNX_MODEL, read_manifest
from shared.store.store import ModelStore
from tests.support.models.bundles import (
    HEIGHT,
    STRIPE,
    WIDTH,
    calibration,
    encoded,
    imported,
    onnx_graph,
    png,
    publish,
)

VOCABULARY = Vocabulary("abc")
STEPS = 4


def decoder(limits: Limits = ANYTHING, top_k: int = 1) -> ShotDecoder:
    return ShotDecoder(limits, VOCABULARY, STEPS, top_k)


def drawn_shots(seed: int, number: int, sureness: float = 2.0) -> list[Shot]:
    """Return outputs that nothing is certain in, which have much in common."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(STEPS, 4))
    logits = [sureness * (common + rng.normal(size=common.shape)) for _ in range(number)]
    powers = [np.exp(each) for each in logits]
    return [Shot((each / each.sum(axis=1, keepdims=True)).astype(np.float32)) for each in powers]


def every_text() -> list[tuple[int, ...]]:
    return [
        text for length in range(STEPS + 1) for text in itertools.product(range(3), repeat=length)
    ]


@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize("seed", range(8))
def test_it_finds_the_likeliest_of_all_texts(seed: int, number: int) -> None:
    shots = drawn_shots(seed, number)
    softened = np.array(
        [
            [text_probability(_softened(shot.steps), text, 3) for text in every_text()]
            for shot in shots
        ]
    )
    assert softened.sum(axis=1) == pytest.approx(1, abs=1e-5)
    scores = softened.prod(axis=0)

    combined = decoder(top_k=3).decode(shots)

    assert combined.text is not None
    likeliest = np.argsort(-scores)[:3]
    assert [each.text for each in combined.text.alternatives] == [
        VOCABULARY.decode(every_text()[index]) for index in likeliest
    ]
    found = [each.confidence for each in combined.text.alternatives]
    shares = (scores / scores.max()) ** (weight(number) / number)
    assert found == pytest.approx([found[0] * shares[index] for index in likeliest], rel=1e-3)


def test_shares_add_up_to_one_with_what_is_left_for_all_other_texts() -> None:
    for seed in range(5):
        known = decoder()._candidates(drawn_shots(seed, 3)).shares()
        assert 0.5 < known.sum() <= 1


def test_shots_that_err_at_different_places_correct_each_other() -> None:
    def text(*rows: tuple[float, ...]) -> Shot:
        return Shot(np.array(rows, dtype=np.float32))

    blank = (0.01, 0.01, 0.01, 0.97)
    sure_a, sure_c = (0.97, 0.01, 0.01, 0.01), (0.01, 0.01, 0.97, 0.01)
    first = text((0.40, 0.55, 0.02, 0.03), blank, sure_c, blank)
    last = text(sure_a, blank, (0.02, 0.55, 0.40, 0.03), blank)

    combined = decoder().decode([first, last])

    assert [each and each.text for each in combined.alone] == ["bc", "ab"]
    assert combined.text is not None
    assert combined.text.text == "ac"
    assert [each.text for each in combined.text.characters] == ["a", "c"]


def test_a_shot_of_something_else_does_not_outweigh_the_others() -> None:
    letter = np.full((3, STEPS, 4), 1e-6, dtype=np.float32)
    letter[:2, 0, 0] = 0.98
    letter[:2, 0, 1] = 0.02
    letter[2, 0, 1] = 1.0
    letter[:, 1:, 3] = 1.0
    shots = [Shot(each / each.sum(axis=1, keepdims=True)) for each in letter]

    combined = decoder().decode([*shots[:2], shots[0], shots[2]])

    assert combined.alone[3] is not None
    assert combined.alone[3].text == "b"
    assert combined.text is not None
    assert combined.text.text == "a"


def test_shots_that_share_an_error_do_not_make_it_certain() -> None:
    steps = np.full((STEPS, 4), 1e-6, dtype=np.float32)
    steps[0, :2] = 0.7, 0.3
    steps[1:, 3] = 1.0
    shot = Shot(steps / steps.sum(axis=1, keepdims=True))

    confidences = []
    for number in (1, 3, 64):
        text = decoder().decode([shot] * number).text
        assert text is not None
        confidences.append(text.confidence)

    assert confidences[0] == pytest.approx(0.7, abs=1e-3)
    assert confidences == sorted(confidences)
    assert confidences[1] < 0.8
    assert confidences[2] < 0.95


def test_shots_that_agree_are_surer_than_each_of_them() -> None:
    shots = [shot for seed in (3, 3, 3) for shot in drawn_shots(seed, 1, sureness=3.0)]
    combined = decoder().decode(shots)

    assert combined.text is not None
    assert combined.alone[0] is not None
    assert combined.text.text == combined.alone[0].text
    assert combined.text.confidence > combined.alone[0].confidence
    assert weight(2) < weight(3) < weight(64) < 2 * weight(3)


@pytest.mark.parametrize("limits", [Limits(pattern="b.*"), Limits(charset="bc", min_length=1)])
def test_limits_do_not_raise_a_confidence(limits: Limits) -> None:
    for seed in range(5):
        shots = drawn_shots(seed, 3)
        free = decoder(top_k=20).decode(shots).text
        within = decoder(limits).decode(shots).text
        assert free is not None
        assert within is not None
        known = {each.text: each.confidence for each in free.alternatives}
        if within.text in known:
            assert within.confidence <= known[within.text] + 1e-3


def test_text_that_none_of_the_shots_can_hold_is_none() -> None:
    steps = np.zeros((STEPS, 4), dtype=np.float32)
    steps[:, 3] = 1

    combined = decoder(Limits(pattern="a")).decode([Shot(steps), Shot(steps)])

    assert (combined.text, combined.shot, combined.alone) == (None, None, (None, None))


def unsure(tmp_path: Path, characters: str = "abc", sharpness: float = 20.0) -> Engine:
    store = ModelStore(tmp_path / "models")
    files = {
        ONNX_MODEL: onnx_graph(characters, sharpness=sharpness),
        "golden/predictions.json": b"[]",
    }
    version = publish(
        store,
        tmp_path / "build",
        files=files,
        characters=characters,
        change=lambda one: imported(one).model_copy(update={"calibration": calibration(1.2)}),
    ).version
    folder = store.folder("default", version)
    return Engine.load(folder, read_manifest(folder))


def stripes(*grays: int) -> bytes:
    pixels = np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)
    for place, gray in enumerate(grays):
        pixels[:, 2 * STRIPE * place : 2 * STRIPE * place + STRIPE] = gray
    return encoded(Image.fromarray(pixels))


SHOT = stripes(35, 130)
LIMITS = [
    ANYTHING,
    Limits(pattern="b.*"),
    Limits(charset="bc", min_length=2, max_length=2),
    Limits(allowed=("bc", "ab", "ca")),
]


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("fold", [False, True])
def test_one_shot_says_what_it_says_alone(tmp_path: Path, limits: Limits, fold: bool) -> None:
    engine = unsure(tmp_path)
    [alone] = engine.search_each([SHOT], limits, 3, fold=fold)

    combined, places = engine.combine([SHOT], limits, 3, fold=fold)

    assert isinstance(alone, DecodedText)
    assert combined.text is not None
    assert same(combined.text, alone)
    assert (combined.shot, places) == (0, [0])


def test_one_shot_says_what_it_says_alone_with_a_check_digit(tmp_path: Path) -> None:
    engine = unsure(tmp_path, "0123456789", sharpness=150.0)
    limits = Limits(check_digit="luhn", min_length=4)
    shot = stripes(3, 55, 110, 200)
    [alone] = engine.search_each([shot], limits, 2)

    combined, _ = engine.combine([shot], limits, 2)

    assert isinstance(alone, DecodedText)
    assert combined.text is not None
    assert same(combined.text, alone)


def same(one: DecodedText, other: DecodedText) -> bool:
    def rounded(hypotheses: tuple[Hypothesis, ...]) -> list[tuple[str, float]]:
        return [(each.text, round(each.confidence, 5)) for each in hypotheses]

    return (one.text, one.characters, rounded(one.alternatives)) == (
        other.text,
        other.characters,
        rounded(other.alternatives),
    )


def test_the_same_file_several_times_is_one_shot(tmp_path: Path) -> None:
    engine = unsure(tmp_path)
    once, _ = engine.combine([SHOT], ANYTHING, 1)
    thrice, places = engine.combine([SHOT, SHOT, SHOT], ANYTHING, 1)

    assert places == [0, 0, 0]
    assert thrice == once


def test_images_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    engine = unsure(tmp_path)
    other = stripes(40, 125)
    both, _ = engine.combine([SHOT, other], ANYTHING, 1)

    combined, places = engine.combine([b"no image", SHOT, other], ANYTHING, 1)

    assert combined == both
    assert isinstance(places[0], ImageRejectedError)
    assert places[1:] == [0, 1]
    with pytest.raises(ImageRejectedError) as raised:
        engine.combine([b"", b"no image"], ANYTHING, 1)
    assert raised.value is not places[0]


def test_limits_that_nothing_fits_are_refused_before_an_image_is_opened(tmp_path: Path) -> None:
    with pytest.raises(LimitsError):
        unsure(tmp_path).combine([b"no image"], Limits(pattern="x"), 1)


def test_more_shots_than_there_is_memory_for_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = unsure(tmp_path)
    monkeypatch.setattr(engine_module, "MAX_SHOT_VALUES", 2 * 8 * 4)
    assert engine.combine([SHOT, png("ab")], ANYTHING, 1)
    with pytest.raises(TooLargeError, match="3 shots") as raised:
        engine.combine([SHOT, png("ab"), png("b")], ANYTHING, 1)
    assert "at most 2." in raised.value.hint


def test_more_than_sixteen_shots_are_refused(tmp_path: Path) -> None:
    engine = unsure(tmp_path)
    _, places = engine.combine([SHOT] * 16, ANYTHING, 1)
    assert places == [0] * 16
    with pytest.raises(TooLargeError, match="17 shots") as raised:
        engine.combine([SHOT] * 17, ANYTHING, 1)
    assert raised.value.hint == "Send at most 16."
