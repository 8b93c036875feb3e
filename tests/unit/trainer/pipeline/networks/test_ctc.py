import numpy as np
import pytest
import tensorflow as tf

from trainer.pipeline.networks.ctc import PADDING, ctc_loss

PROBABILITIES = tf.nn.softmax(np.random.default_rng(0).normal(size=(3, 6, 4)).astype(np.float32))


@pytest.mark.parametrize("labels", [[[0, 1], [], [2]], [[], [], []], [[0, 1], [2, 2], [2]]])
def test_an_empty_label_costs_what_its_blanks_do_and_changes_no_other_loss(
    labels: list[list[int]],
) -> None:
    padded = np.full((3, 2), PADDING, np.int32)
    for row, label in zip(padded, labels, strict=True):
        row[: len(label)] = label
    with tf.GradientTape() as tape:
        tape.watch(PROBABILITIES)
        losses = ctc_loss(tf.constant(padded), PROBABILITIES)
    assert np.isfinite(tape.gradient(losses, PROBABILITIES)).all()
    blanks = -np.log(PROBABILITIES.numpy()[:, :, -1]).sum(axis=1)
    for index, label in enumerate(labels):
        one = slice(index, index + 1)
        alone = ctc_loss(tf.constant(padded[one]), PROBABILITIES[one]).numpy()[0]
        assert losses.numpy()[index] == pytest.approx(alone)
        assert (losses.numpy()[index] == pytest.approx(blanks[index], rel=1e-5)) is not bool(label)
