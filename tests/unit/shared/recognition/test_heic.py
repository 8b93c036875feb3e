import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from shared.errors import ImageRejectedError
from shared.recognition import heic
from shared.recognition.image_headers import TooExpensiveError
from shared.recognition.preprocessing import image_format, open_image

pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra readsmith[heic]")
heic.register()  # for writing it, too

SIZE = (160, 96)


def encoded(size: tuple[int, int] = SIZE, mode: str = "RGB", **options: object) -> bytes:
    image = Image.new("L", size, 255)
    image.paste(40, (8, 8, size[0] // 2, size[1] - 8))
    data = io.BytesIO()
    image.convert(mode).save(data, "HEIF", quality=90, **options)
    return data.getvalue()


def test_a_heic_is_read() -> None:
    data = encoded()
    assert image_format(data) == "heif"
    image = open_image(data).convert("L")
    assert image.size == SIZE
    assert abs(image.getpixel((40, 48)) - 40) < 8  # type: ignore[operator]
    assert abs(image.getpixel((140, 48)) - 255) < 8  # type: ignore[operator]


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_gray_and_transparent_ones_are_read(mode: str) -> None:
    assert open_image(encoded(mode=mode)).size == SIZE


def test_a_turned_photograph_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = open_image(encoded(exif=exif.tobytes())).convert("L")
    assert image.size == (96, 160)
    assert abs(image.getpixel((48, 40)) - 40) < 8  # type: ignore[operator]


def test_a_grid_of_tiles_is_counted_whole() -> None:
    data = encoded((640, 320), tile_size=256)
    assert b"grid" in data
    assert open_image(data).size == (640, 320)
    assert heic.heif_pixels(data) >= 2 * 640 * 320


def test_memory_is_reserved_before_decoding() -> None:
    taken: list[int] = []
    open_image(encoded(), taken.append)
    assert taken[0] >= 12 * SIZE[0] * SIZE[1]


def test_a_large_one_is_named_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.recognition.image_limits.MAX_HEIC_PIXELS", SIZE[0] * SIZE[1] - 1)
    with pytest.raises(ImageRejectedError) as refused:
        open_image(encoded())
    assert refused.value.code == "image_too_large"


def with_size(data: bytes, width: int, height: int) -> bytes:
    """Return a HEIC whose container tells another size than its picture has."""
    at = data.index(b"ispe") + 8
    return data[:at] + width.to_bytes(4) + height.to_bytes(4) + data[at + 8 :]


def test_the_picture_counts_and_not_what_the_container_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = with_size(encoded((640, 320)), 16, 16)
    assert heic.heif_pixels(data) >= 640 * 320
    monkeypatch.setattr("shared.recognition.image_limits.MAX_HEIC_PIXELS", 20_000)
    with pytest.raises(ImageRejectedError):
        open_image(data)


def test_parameters_within_a_picture_are_refused() -> None:
    parameters = b"\0\0\0\4\x42\1\xff\xff"
    with pytest.raises(ValueError, match="parameters of its own"):
        heic._require_one_picture(parameters, 4)
    picture = b"\0\0\0\4\x26\1\xff\xff"
    heic._require_one_picture(picture, 4)
    with pytest.raises(TooExpensiveError, match="several pictures"):
        heic._require_one_picture(picture * 2, 4)


def test_any_damage_is_rejected_with_a_reason_or_read() -> None:
    data = encoded()
    for position in range(0, len(data), 5):
        damaged = data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]
        for one in (damaged, data[:position]):
            try:
                open_image(one)
            except ImageRejectedError as error:
                assert error.message


READ_TWO = """
import sys
from shared.recognition.preprocessing import open_image
for path in sys.argv[1:]:
    open_image(open(path, "rb").read())
    print("pillow_heif" in sys.modules)
"""


def test_the_library_is_loaded_for_the_first_heic_alone(tmp_path: Path) -> None:
    Image.new("L", SIZE).save(tmp_path / "plain.png")
    (tmp_path / "phone.heic").write_bytes(encoded())
    files = [str(tmp_path / name) for name in ("plain.png", "phone.heic")]
    command = [sys.executable, "-c", READ_TWO, *files]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.split() == ["False", "True"]
