"""The exported file of Python does what the product does."""

import io
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from predictor.models.engine import Engine
from readsmith.services import export as export_module
from readsmith.services import standalone
from readsmith.services.export import export_python
from shared.errors import ConflictError, FailedError, UnusableError
from shared.recognition.image_spec import ImageSpec, Region
from shared.recognition.preprocessing import preprocess
from shared.store.builtin import builtin_store
from shared.store.manifest import ONNX_MODEL, read_manifest
from shared.store.records.record import ModelSettings
from shared.store.store import ModelStore
from tests.support.commands import Run
from tests.support.labelled_images import image
from tests.support.models.bundles import publish

STARTER = builtin_store().folder("starter-small", 1)
SPECS = [
    ImageSpec(height=32, width=96, channels=1, resize="stretch", standardize=True),
    ImageSpec(height=32, width=96, channels=3, resize="pad", standardize=True),
    ImageSpec(height=40, width=100, channels=1, resize="pad", standardize=False),
    ImageSpec(height=32, width=400, channels=1, resize="follow", standardize=True, widening=1.7),
    ImageSpec(height=50, width=200, channels=1, resize="stretch", standardize=False, layout="WHC"),
    ImageSpec(
        height=32,
        width=256,
        channels=3,
        resize="follow",
        standardize=True,
        region=Region(left=0.1, top=0.21, right=0.77, bottom=0.9),
    ),
]


def picture(mode: str, size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 256, (size[1], size[0], 4)).astype(np.uint8)
    values[: size[1] // 3, :, 3] = 0
    if mode == "I;16":
        return Image.fromarray(values[:, :, 0].astype(np.uint16) * 200)
    return Image.fromarray(values, "RGBA").convert(mode)


def files() -> dict[str, bytes]:
    """Return images of every kind that differs on the way, by name."""
    found: dict[str, bytes] = {}
    for mode in ("L", "RGB", "RGBA", "LA", "P", "1", "I;16"):
        file = io.BytesIO()
        picture(mode, (73, 31)).save(file, "PNG")
        found[f"{mode} as PNG"] = file.getvalue()
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        file = io.BytesIO()
        picture("RGB", (60, 40)).save(file, "JPEG", exif=exif)
        found[f"turned {turn}"] = file.getvalue()
    file = io.BytesIO()
    picture("RGB", (200, 20)).convert("CMYK").save(file, "JPEG")
    found["CMYK"] = file.getvalue()
    file = io.BytesIO()
    first, second = picture("P", (64, 32)), picture("L", (64, 32)).convert("P")
    first.save(file, "GIF", save_all=True, append_images=[second], transparency=0)
    found["GIF"] = file.getvalue()
    return found


FILES = files()


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(standalone, "IMAGE", {})
    return standalone


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.resize} {spec.layout}")
@pytest.mark.parametrize("name", FILES)
def test_an_image_becomes_the_same_input(
    reader: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    spec: ImageSpec,
) -> None:
    path = tmp_path / "image"
    path.write_bytes(FILES[name])
    monkeypatch.setattr(reader, "IMAGE", spec.model_dump(mode="json"))

    found = reader.to_input(reader.open_image(str(path)))

    expected = preprocess(FILES[name], spec)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, atol=1e-4)


def test_an_image_of_which_a_fraction_is_decoded_is_refused(
    reader: ModuleType, tmp_path: Path
) -> None:
    Image.new("L", (4000, 2600)).save(tmp_path / "large.png")

    with pytest.raises(ValueError, match="more than 10,000,000 pixels"):
        reader.open_image(str(tmp_path / "large.png"))


def texts() -> list[str]:
    return ["MARKET", "B 4711", "2b827", "Total 12.50", "aa", "HELLO", "x"] * 8


def test_the_exported_folder_reads_what_the_product_reads(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "reader"
    result = run("models", "export", "starter-small", target, "--to", "python", "--json")
    assert result.exit_code == 0, result.stderr
    about = json.loads(result.stdout)
    assert (about["images"], about["different"]) == (8, 0)
    assert {each.name for each in target.iterdir()} == {ONNX_MODEL, "read.py"}
    assert len((target / "read.py").read_text().splitlines()) <= 100
    paths = []
    for number, text in enumerate(texts()):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(image(text, (120 + 3 * number, 40 + number % 9), number))

    read = subprocess.run(
        [sys.executable, "-I", target / "read.py", *paths],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip

    engine = Engine.load(STARTER, read_manifest(STARTER))
    expected = [each.text for each in engine.predict([path.read_bytes() for path in paths])]
    found = [line.partition("\t")[2] for line in read.stdout.splitlines()]
    assert sum(one != other for one, other in zip(found, expected, strict=True)) <= 0.005 * len(
        expected
    )


def stripes(tmp_path: Path, direction: str = "ltr") -> tuple[Engine, Path]:
    store = ModelStore(tmp_path / "models")
    version = publish(
        store,
        tmp_path / "build",
        change=lambda one: one.model_copy(
            update={"image": one.image.model_copy(update={"direction": direction})}
        ),
    ).version
    folder = store.folder("default", version)
    return Engine.load(folder, read_manifest(folder)), folder


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (ModelSettings(pattern="[ab]+"), "a pattern of its own"),
        (ModelSettings(allowed=("ab",)), "a list of allowed texts"),
        (ModelSettings(check_digit="luhn"), "a rule for check digits"),
    ],
)
def test_what_would_not_be_followed_is_refused(
    tmp_path: Path, settings: ModelSettings, why: str
) -> None:
    engine, folder = stripes(tmp_path)
    with pytest.raises(UnusableError, match=why):
        export_python(engine, settings, folder, tmp_path / "reader")
    assert not (tmp_path / "reader").exists()


def test_text_from_right_to_left_is_refused(tmp_path: Path) -> None:
    engine, folder = stripes(tmp_path, "rtl")
    with pytest.raises(UnusableError, match="right to left"):
        export_python(engine, ModelSettings(), folder, tmp_path / "reader")


def test_a_version_without_images_to_compare_on_is_refused(tmp_path: Path) -> None:
    engine, folder = stripes(tmp_path)
    for each in (folder / "golden").glob("*.png"):
        each.unlink()
    with pytest.raises(UnusableError, match="no images to compare on"):
        export_python(engine, ModelSettings(), folder, tmp_path / "reader")
    assert not (tmp_path / "reader").exists()


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    engine, folder = stripes(tmp_path)
    with pytest.raises(ConflictError, match="exists already"):
        export_python(engine, ModelSettings(), folder, tmp_path)


def test_an_export_that_reads_otherwise_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, folder = stripes(tmp_path)
    assert export_python(engine, ModelSettings(), folder, tmp_path / "right") == (3, 0)
    right = export_module._reader

    monkeypatch.setattr(
        export_module, "_reader", lambda manifest: right(manifest).replace("'abc'", "'acb'")
    )
    with pytest.raises(FailedError, match="Of 3 images the exported file reads 2 otherwise"):
        export_python(engine, ModelSettings(), folder, tmp_path / "wrong")
    monkeypatch.setattr(export_module, "_reader", lambda manifest: "raise SystemExit(1)")
    with pytest.raises(FailedError, match="reads 3 otherwise"):
        export_python(engine, ModelSettings(), folder, tmp_path / "wrong")

    assert {each.name for each in tmp_path.iterdir()} == {"models", "build", "right"}
