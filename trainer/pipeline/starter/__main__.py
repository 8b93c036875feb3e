"""Makes the starters: `python -m trainer.pipeline.starter` (or `make starter`).

Trains the presets that have a starter on drawn lines, all of them on the same ones, measures them
on the real sets of READSMITH_TEST_DATA, and with --publish replaces those in the package. After an
interruption, the same command goes on from its work folder. Imports TensorFlow.
"""

import argparse
from pathlib import Path

import keras
import tensorflow as tf

from shared.recognition.vocabulary import Vocabulary
from shared.store.builtin import STARTERS
from shared.store.manifest import ONNX_MODEL
from trainer.pipeline.networks.inference import OnnxGraph
from trainer.pipeline.publishing.export import clear_folder
from trainer.pipeline.starter.checkpoint import Course, read_course, restore
from trainer.pipeline.starter.drawing import CHARACTERS
from trainer.pipeline.starter.evaluate import (
    Starter,
    data_folder,
    held_out_lines,
    measure_all,
    table,
)
from trainer.pipeline.starter.learner import Learner, exported
from trainer.pipeline.starter.publish import Reached, publish, write_files
from trainer.pipeline.starter.schedule import Length
from trainer.pipeline.starter.shapes import SPEC
from trainer.pipeline.starter.train import TrainingPlan, train
from trainer.pipeline.training.base import load_starter
from trainer.schemas.job_request import PresetName

MOST_IMAGES = 10_000
TEST_LINES = 1000


def main() -> None:
    """Train, measure, publish."""
    arguments = _arguments()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    # A step takes two thirds of the time of float32, where the CPU has instructions for it.
    keras.config.set_dtype_policy("mixed_bfloat16")
    course = read_course(arguments.work) or Course(arguments.seed, CHARACTERS)
    keras.utils.set_random_seed(course.seed)
    learners = [_learner(arguments, preset, course) for preset in arguments.network]
    length = Length(arguments.steps, arguments.minutes)
    train(learners, course, TrainingPlan(length, arguments.work, arguments.processes))
    for learner in learners:
        _finish(learner, course, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", nargs="+", choices=STARTERS, default=list(STARTERS))
    parser.add_argument("--steps", type=int, help="at most")
    parser.add_argument("--minutes", type=float, default=480.0, help="at most, in all attempts")
    parser.add_argument("--processes", type=int, default=1, help="that draw beside the training")
    parser.add_argument("--threads", type=int, default=1, help="of the training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("build/starter"))
    parser.add_argument(
        "--from-package", action="store_true", help="begin with the weights of the package"
    )
    parser.add_argument("--publish", action="store_true", help="replace the package's starters")
    return parser.parse_args()


def _learner(arguments: argparse.Namespace, preset: PresetName, course: Course) -> Learner:
    """Build a network: from its checkpoint, from the package, or anew."""
    learner = Learner(preset, Vocabulary(course.characters))
    if course.starts and restore(arguments.work, learner):
        return learner
    base = load_starter(preset) if arguments.from_package else None
    if base is not None:
        learner.start_from(base)
    return learner


def _finish(learner: Learner, course: Course, arguments: argparse.Namespace) -> None:
    """Measure a trained network as it is served, and publish it if that is asked for."""
    build = clear_folder(arguments.work / learner.preset)
    write_files(exported(learner), build)
    starter = Starter(OnnxGraph(build / ONNX_MODEL), learner.vocabulary, SPEC)
    folder = data_folder()
    figures = measure_all(starter, folder, MOST_IMAGES) if folder else []
    reached = Reached.of(starter, held_out_lines(TEST_LINES), figures)
    print(f"{learner.preset}: {reached.drawn:.1%} of drawn lines")  # noqa: T201 - a command
    print(table(learner.preset, figures), flush=True)  # noqa: T201
    if arguments.publish:
        publish(learner.preset, build, starter, reached, course)


if __name__ == "__main__":
    main()
