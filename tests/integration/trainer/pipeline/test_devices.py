"""Two logical processors stand for two GPUs: TensorFlow mirrors a model over them all the same."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from shared.recognition.decoding import decode
from shared.recognition.preprocessing import to_batch
from shared.store.manifest import KERAS_MODEL, ONNX_MODEL
from tests.support.jobs.observer import Recorder
from tests.support.labelled_images import labelled_zip, texts
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.networks.inference import OnnxGraph, predict
from trainer.pipeline.networks.keras_files import load_keras, write_models
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.training.checkpoint import State, load, save
from trainer.pipeline.training.devices import CPU, Devices, find_devices
from trainer.pipeline.training.examples import Examples
from trainer.pipeline.training.fitting import Fitting
from trainer.pipeline.training.parameters import choose_parameters
from trainer.pipeline.training.train import train
from trainer.schemas.job_request import Hyperparameters, JobRequest, PresetName
from trainer.schemas.progress import CancelledRunError
from trainer.subprocesses import in_clean_process

EPOCHS = 4
HYPERPARAMETERS = Hyperparameters(
    epochs=EPOCHS, batch_size=8, height=32, width=64, augmentation=0.0
)
IMAGES = 40


def request(preset: PresetName) -> JobRequest:
    return JobRequest(preset=preset, hyperparameters=HYPERPARAMETERS)


def make_dataset(folder: Path, preset: PresetName = "conv") -> Dataset:
    return load_dataset(labelled_zip(folder / "set.zip", texts(IMAGES)), request(preset))


def make_fitting(folder: Path, devices: Devices, preset: PresetName = "conv") -> Fitting:
    keras.utils.set_random_seed(1)
    dataset = make_dataset(folder, preset)
    parameters, _ = choose_parameters(request(preset))
    examples = Examples.of(dataset)
    return Fitting(dataset, examples, PRESETS[preset], parameters, None, Recorder(), devices)


def without_dropout(fitting: Fitting) -> Fitting:
    """Replicas draw their own dropout; without it, they can be compared with one device."""
    fitting.model.get_layer("dropout").rate = 0.0
    return fitting


class Step(NamedTuple):
    """The loss of one step, and all variables after it."""

    loss: float
    variables: list[Any]


@dataclass
class Spread:
    """What a child process saw of training on two devices."""

    steps: list[tuple[Step, Step]]
    """Equal ones on one device and on two."""
    mirrored: list[tuple[Any, Any]]
    """Each variable on the first and on the second device."""
    epochs: list[float]
    """Training losses of a run."""
    uncut: list[Any]
    """Weights at the end of that run, and when its last epoch was done again from a file."""
    resumed: list[Any]


def train_on_two_devices(folder: Path) -> Spread:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    tf.config.experimental.enable_op_determinism()
    both = Devices(strategy=tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]))
    one = without_dropout(make_fitting(folder, CPU))
    two = without_dropout(make_fitting(folder, both))
    first = one.first_state(0, 0.0)
    steps = [(take_step(one, first, images), take_step(two, first, images)) for images in (8, 7, 1)]
    run = make_fitting(folder, both)
    state = run.first_state(0, 0.0)
    for _ in range(EPOCHS - 1):
        run.epoch(state)
    save(folder, state, "run")
    run.epoch(state)
    again = load(folder, "run")
    assert again is not None
    run.restore(again)
    run.epoch(again)
    return Spread(
        steps,
        [tuple(copy.numpy() for copy in v.value.values) for v in run.model.variables],
        [progress.loss for progress in state.history],
        state.weights,
        again.weights,
    )


def take_step(fitting: Fitting, state: State, images: int) -> Step:
    fitting.restore(state)
    pixels, labels = next(fitting.examples.train.in_order(images))
    inputs = to_batch(pixels, fitting.dataset.image)
    loss = fitting._step(inputs, labels, np.zeros(2, np.int32))
    return Step(float(loss), fitting.first_state(0, 0.0).weights)


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Spread:
    return in_clean_process(train_on_two_devices, tmp_path_factory.mktemp("spread"))


def test_two_devices_learn_what_one_does_from_even_odd_and_single_batches(spread: Spread) -> None:
    for one, two in spread.steps:
        assert two.loss == pytest.approx(one.loss, rel=1e-4)
        for on_one, on_two in zip(one.variables, two.variables, strict=True):
            # The mean, because Adam makes steps of noise where a gradient is all but nothing.
            difference = np.abs(on_two - on_one).mean()
            assert difference <= 1e-3 * np.abs(on_one).mean() + 1e-7


def test_two_devices_keep_equal_weights_and_learn(spread: Spread) -> None:
    for first, second in spread.mirrored:
        assert np.array_equal(first, second)
    assert spread.epochs[-1] < spread.epochs[0] / 2


def test_a_run_on_two_devices_goes_on_from_its_checkpoint_as_if_uncut(spread: Spread) -> None:
    assert all(map(np.array_equal, spread.uncut, spread.resumed))


def test_what_is_trained_in_mixed_precision_is_read_and_exported_in_float32(tmp_path: Path) -> None:
    fitting = make_fitting(tmp_path, Devices(precision="mixed_bfloat16"))
    state = fitting.first_state(0, 0.0)
    fitting.epoch(state)
    computed = {layer.name: layer.compute_dtype for layer in fitting.model.layers}
    assert (computed["stage1_conv"], computed["width1_conv"]) == ("bfloat16", "bfloat16")
    assert (computed["output"], computed["ctc_loss"]) == ("float32", "float32")
    assert keras.config.dtype_policy().name == "float32"

    write_models(fitting.inference_model, tmp_path)
    with h5py.File(tmp_path / KERAS_MODEL) as file:
        assert "bfloat16" not in file.attrs["model_config"]
    graph = onnx.load(tmp_path / ONNX_MODEL).graph
    kinds = {weight.data_type for weight in graph.initializer}
    assert onnx.TensorProto.FLOAT in kinds
    assert not kinds & {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    assert_all_read_alike(fitting, tmp_path)
    assert all(
        map(np.array_equal, fitting.inference_model.get_weights(), fitting.model.get_weights())
    )


def assert_all_read_alike(fitting: Fitting, build: Path) -> None:
    [(pixels, _)], image = fitting.examples.validation.in_order(IMAGES), fitting.dataset.image
    output = predict(fitting.inference_model, pixels, image)
    texts = [prediction.text for prediction in decode(output, fitting.dataset.vocabulary)]
    for model in (load_keras(build / KERAS_MODEL), OnnxGraph(build / ONNX_MODEL)):
        again = predict(model, pixels, image)
        assert again.dtype == np.float32
        assert again == pytest.approx(output, abs=1e-4)
        assert [
            prediction.text for prediction in decode(again, fitting.dataset.vocabulary)
        ] == texts


def test_the_lstms_of_cudnn_are_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _kind: ["a GPU"])
    fitting = make_fitting(tmp_path, Devices(gpus=("a GPU",)), "crnn")
    write_models(fitting.inference_model, tmp_path)
    monkeypatch.undo()
    assert_all_read_alike(fitting, tmp_path)


@pytest.mark.parametrize(
    ("gpus", "told"),
    [
        ([], "on the CPU"),
        ([("Old", (7, 5))], "on 1 GPU (Old) in float32"),
        ([("New", (9, 0))], "on 1 GPU (New) in mixed bfloat16"),
        ([("New", (8, 0)), ("Old", (7, 5))], "on 2 GPUs (New, Old) in float32"),
    ],
)
def test_every_gpu_is_used_in_bfloat16_if_all_have_the_cores_for_it(
    gpus: list[tuple[str, tuple[int, int]]], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def details(gpu: tuple[str, tuple[int, int]]) -> dict[str, Any]:
        return {"device_name": gpu[0], "compute_capability": gpu[1]}

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _kind: gpus)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: "mirrored")
    devices = find_devices()
    assert str(devices) == told
    assert devices.strategy == ("mirrored" if len(gpus) > 1 else None)


def test_the_job_names_the_device(tmp_path: Path) -> None:
    recorder = Recorder(cancel_after=0)
    with pytest.raises(CancelledRunError):
        train(make_dataset(tmp_path), request("conv"), recorder, tmp_path)
    (kind, message), *_ = recorder.events
    assert kind == "start"
    assert message.endswith("Training runs on the CPU.")
