import random

import pytest

from trainer.pipeline.evaluation.learned import measure_learned
from trainer.pipeline.evaluation.predictions import LabelledPrediction


def predicted(pairs: list[tuple[str, str]]) -> list[LabelledPrediction]:
    return [
        LabelledPrediction(f"{number}.png", truth, text, 0.9)
        for number, (truth, text) in enumerate(pairs)
    ]


def labels(count: int) -> list[str]:
    chance = random.Random(0)
    return ["".join(chance.choices("ABCDEF0123", k=5)) for _ in range(count)]


def test_a_model_that_reads_has_learned() -> None:
    texts = labels(40)
    wrong_at_times = [(t, t if n % 4 else t[:-1] + "?") for n, t in enumerate(texts)]
    learned = measure_learned(predicted(wrong_at_times), 0)
    assert learned is not None
    assert learned.proven
    assert learned.cer == pytest.approx(10 / 200)
    assert learned.constant_cer > 0.5
    assert learned.shuffled_cer > 0.5


def test_a_dead_model_has_not_learned() -> None:
    learned = measure_learned(predicted([(text, "") for text in labels(40)]), 0)
    assert learned is not None
    assert (learned.proven, learned.cer, learned.shuffled_cer) == (False, 1, 1)


def test_one_answer_for_every_image_is_not_learning_however_often_it_is_right() -> None:
    texts = ["0000"] * 30 + labels(10)
    learned = measure_learned(predicted([(text, "0000") for text in texts]), 0)
    assert learned is not None
    assert (learned.proven, learned.constant) == (False, "0000")
    assert learned.cer == learned.constant_cer


def test_texts_of_the_right_kind_for_the_wrong_images_are_not_learning() -> None:
    texts = labels(60)
    learned = measure_learned(predicted(list(zip(texts, texts[1:] + texts[:1], strict=True))), 0)
    assert learned is not None
    assert not learned.proven


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_handful_of_images_cannot_tell(count: int) -> None:
    assert measure_learned(predicted([(text, text) for text in labels(count)]), 0) is None


def test_five_images_can_tell_if_all_are_right() -> None:
    learned = measure_learned(predicted([(text, text) for text in labels(5)]), 0)
    assert learned is not None
    assert learned.proven


def test_equal_seeds_give_equal_results() -> None:
    pairs = list(zip(labels(400), reversed(labels(400)), strict=True))
    assert measure_learned(predicted(pairs), 7) == measure_learned(predicted(pairs), 7)
