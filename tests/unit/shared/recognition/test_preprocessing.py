import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pydantic import ValidationError

from shared.errors import ImageRejectedError
from shared.recognition.image_headers import jpeg_coefficients
from shared.recognition.image_limits import MAX_PIXELS
from shared.recognition.image_spec import ImageSpec, Region
from shared.recognition.preprocessing import (
    fit,
    normalize,
    open_image,
    preprocess,
    to_batch,
)
from tests.support.models.bundles import SPEC, encoded, image

DARK_ON_LIGHT = image("cab")
EXPECTED = np.asarray(DARK_ON_LIGHT, dtype=np.float32)[..., np.newaxis] / 255


def exif_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def on_transparency(drawn: int) -> bytes:
    """An image whose colour is the same everywhere: only the transparency shows the text."""
    color = Image.new("L", DARK_ON_LIGHT.size, drawn)
    color.putalpha(Image.eval(DARK_ON_LIGHT, lambda value: 255 if value < 128 else 0))
    return encoded(color)


def raw_png(rows: bytes, depth: int, kind: int, *, interlaced: bool = False) -> bytes:
    """A PNG of DARK_ON_LIGHT's size, of rows that each begin with their filter's number."""
    head = struct.pack(">LLBBBBB", *DARK_ON_LIGHT.size, depth, kind, 0, 0, interlaced)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))
        for name, body in chunks
    )


def colour_of_sixteen_bits() -> bytes:
    values = np.repeat(np.asarray(DARK_ON_LIGHT, dtype=">u2")[..., np.newaxis] * 257, 3, axis=2)
    return raw_png(b"".join(b"\0" + row.tobytes() for row in values), 16, 2)


def interlaced() -> bytes:
    """Adam7: seven small images of every eighth, fourth, second pixel."""
    values = np.asarray(DARK_ON_LIGHT)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    parts = [values[top::down, left::right] for top, left, down, right in [*passes, (1, 0, 2, 1)]]
    rows = b"".join(b"\0" + row.tobytes() for part in parts for row in part)
    return raw_png(rows, 8, 0, interlaced=True)


OTHER_WAY_ROUND = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How an image is turned that its EXIF orientation turns back."""


def transparent_palette(text: int) -> bytes:
    """A PNG whose text has one colour of its palette, on another that is transparent."""
    drawn = Image.eval(DARK_ON_LIGHT, lambda value: int(value >= 128)).convert("P")
    drawn.putpalette([text] * 3 + [255 - text] * 3)
    return encoded(drawn, transparency=1)


def sixteen_bits_with_alpha() -> bytes:
    values = np.asarray(DARK_ON_LIGHT, dtype=">u2")[..., np.newaxis] * 257
    both = np.concatenate([values, np.full_like(values, 65_535)], axis=2)
    return raw_png(b"".join(b"\0" + row.tobytes() for row in both), 16, 4)


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.asarray(DARK_ON_LIGHT, dtype=np.uint16) * 257)


SAME_IMAGE = {
    "png": encoded(DARK_ON_LIGHT, "PNG"),
    "gif": encoded(DARK_ON_LIGHT, "GIF"),
    "bmp": encoded(DARK_ON_LIGHT, "BMP"),
    "ppm": encoded(DARK_ON_LIGHT, "PPM"),
    "tiff": encoded(DARK_ON_LIGHT, "TIFF"),
    "tiff lzw": encoded(DARK_ON_LIGHT, "TIFF", compression="tiff_lzw"),
    "webp": encoded(DARK_ON_LIGHT, "WEBP", lossless=True),
    "avif": encoded(DARK_ON_LIGHT, "AVIF", quality=100),
    "avif with alpha": encoded(DARK_ON_LIGHT.convert("RGBA"), "AVIF", quality=100),
    "jpeg gray": encoded(DARK_ON_LIGHT, "JPEG", quality=95),
    "jpeg": encoded(DARK_ON_LIGHT.convert("RGB"), "JPEG", quality=95),
    "rgba": encoded(DARK_ON_LIGHT.convert("RGBA")),
    "gray with alpha": encoded(DARK_ON_LIGHT.convert("LA")),
    "palette": encoded(DARK_ON_LIGHT.convert("P")),
    "palette with transparency": encoded(DARK_ON_LIGHT.convert("P"), transparency=255),
    "cmyk tiff": encoded(DARK_ON_LIGHT.convert("RGB").convert("CMYK"), "TIFF"),
    "cmyk jpeg": encoded(DARK_ON_LIGHT.convert("RGB").convert("CMYK"), "JPEG", quality=95),
    "float": encoded(DARK_ON_LIGHT.convert("F"), "TIFF"),
    "16 bit png": encoded(sixteen_bits()),
    "16 bit tiff": encoded(sixteen_bits(), "TIFF"),
    "turned by exif": encoded(
        DARK_ON_LIGHT.transpose(Image.Transpose.ROTATE_90),
        "JPEG",
        quality=95,
        exif=exif_orientation(6),
    ),
}


SAME_IMAGE |= {
    "16 bit png with alpha": sixteen_bits_with_alpha(),
    "16 bit png with a transparent value": encoded(sixteen_bits(), transparency=300),
    "16 bit colour png": colour_of_sixteen_bits(),
    "interlaced png": interlaced(),
    "bilevel-like palette of two": encoded(DARK_ON_LIGHT.convert("RGB").quantize(4)),
    "a zip behind it": encoded(DARK_ON_LIGHT) + b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(("orientation", "turn"), OTHER_WAY_ROUND.items())
def test_every_orientation_is_turned_back(
    image_format: str, orientation: int, turn: Image.Transpose
) -> None:
    exif, turned = exif_orientation(orientation), DARK_ON_LIGHT.transpose(turn)
    data = encoded(turned, image_format, exif=exif, lossless=True, quality=95)
    assert np.abs(preprocess(data, SPEC) - EXPECTED).max() < 0.05


@pytest.mark.parametrize("data", SAME_IMAGE.values(), ids=SAME_IMAGE)
def test_every_format_and_mode_gives_the_same_input(data: bytes) -> None:
    assert np.abs(preprocess(data, SPEC) - EXPECTED).max() < 0.05


def test_what_is_drawn_on_transparency_stays_readable() -> None:
    dark, light = preprocess(on_transparency(0), SPEC), preprocess(on_transparency(255), SPEC)
    assert (dark.min(), dark.max()) == (0, 1)
    assert np.array_equal(light, 1 - dark)


def test_a_transparent_palette_is_put_on_what_contrasts() -> None:
    dark, light = (preprocess(transparent_palette(text), SPEC) for text in (0, 255))
    assert np.array_equal(dark, (EXPECTED >= 0.5).astype(np.float32))
    assert np.array_equal(light, 1 - dark)


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_only_the_first_frame_is_read(image_format: str) -> None:
    second = Image.new("L", DARK_ON_LIGHT.size, 0)
    frames = {"save_all": True, "append_images": [second]}
    data = encoded(DARK_ON_LIGHT, image_format, lossless=True, **frames)
    assert np.abs(preprocess(data, SPEC) - EXPECTED).max() < 0.05


def test_the_transposed_layout_is_the_transpose() -> None:
    transposed = SPEC.model_copy(update={"layout": "WHC"})
    data = encoded(DARK_ON_LIGHT)
    result = preprocess(data, transposed)
    assert result.shape == transposed.shape
    assert np.array_equal(result.transpose(1, 0, 2), preprocess(data, SPEC))


def test_padding_keeps_the_aspect_and_fills_with_the_mean() -> None:
    pixels = np.zeros((10, 20), dtype=np.uint8)
    pixels[:, 10:] = 200
    spec = ImageSpec(height=10, width=50, channels=1, resize="pad", standardize=False)
    result = np.round(preprocess(encoded(Image.fromarray(pixels)), spec)[..., 0] * 255)
    assert np.array_equal(result[:, :20], pixels)
    assert np.all(result[:, 20:] == 100)


specs = st.builds(
    ImageSpec,
    height=st.integers(8, 40),
    width=st.integers(8, 80),
    channels=st.sampled_from([1, 3]),
    resize=st.sampled_from(["stretch", "pad"]),
    standardize=st.booleans(),
    layout=st.sampled_from(["HWC", "WHC"]),
)
pixels = arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60), st.just(3)))


@given(specs, pixels)
def test_any_image_becomes_a_finite_input_of_the_shape_asked_for(
    spec: ImageSpec, values: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
) -> None:
    result = preprocess(encoded(Image.fromarray(values)), spec)
    assert result.shape == spec.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    if spec.standardize:
        assert abs(float(result.mean())) < 1e-3
        assert float(result.std()) < 1.001
    else:
        assert result.min() >= 0
        assert result.max() <= 1


def test_standardised_images_have_unit_deviation_and_an_empty_one_is_zero() -> None:
    spec = SPEC.model_copy(update={"standardize": True})
    assert preprocess(encoded(DARK_ON_LIGHT), spec).std() == pytest.approx(1, abs=1e-3)
    empty = preprocess(encoded(Image.new("L", (30, 30), 77)), spec)
    assert np.abs(empty).max() < 1e-3


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims a size, without any pixel."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    header = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 0) + b"IDAT" + bytes(8)


def photograph(size: tuple[int, int], **options: object) -> bytes:
    return encoded(DARK_ON_LIGHT.convert("RGB").resize(size), "JPEG", quality=80, **options)


@pytest.mark.parametrize(
    ("size", "decoded", "options"),
    [
        ((4000, 2500), (4000, 2500), {}),
        ((4032, 3024), (2016, 1512), {}),
        ((8160, 6120), (2040, 1530), {}),
        ((4000, 3000), (2000, 1500), {"progressive": True}),
        ((6000, 4000), (1500, 1000), {"progressive": True}),
        ((50_000, 240), (25_000, 120), {}),
    ],
)
def test_a_photograph_is_decoded_at_a_fraction_of_its_size(
    size: tuple[int, int], decoded: tuple[int, int], options: dict[str, object]
) -> None:
    needed: list[int] = []
    data = photograph(size, **options)
    image = open_image(data, needed.append)
    assert image.size == decoded
    assert needed[0] <= 90_000_000
    assert np.abs(preprocess(data, SPEC) - EXPECTED).max() < 0.2


def test_a_photograph_that_lies_on_its_side_is_turned() -> None:
    turned = DARK_ON_LIGHT.transpose(Image.Transpose.ROTATE_90)
    data = encoded(turned.resize((3024, 4032)), "JPEG", exif=exif_orientation(6))
    assert open_image(data).size == (2016, 1512)
    assert np.abs(preprocess(data, SPEC) - EXPECTED).max() < 0.2


def test_a_photograph_with_a_preview_within_is_no_progressive_one() -> None:
    preview = encoded(DARK_ON_LIGHT, "JPEG", progressive=True)
    segment = b"\xff\xe2" + struct.pack(">H", len(preview) + 2) + preview
    plain = encoded(DARK_ON_LIGHT, "JPEG")
    assert jpeg_coefficients(plain[:2] + segment + plain[2:]) == 0
    assert jpeg_coefficients(preview) == 2 * DARK_ON_LIGHT.width * DARK_ON_LIGHT.height


def test_too_large_an_image_says_what_to_do() -> None:
    with pytest.raises(ImageRejectedError) as refused:
        open_image(png_header(5000, 4000))
    assert "5000x4000" in refused.value.message
    assert "Cut the line of text out" in refused.value.hint


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"hevc"])
def test_a_phone_s_heic_is_named_with_what_to_do_where_the_extra_is_missing(
    brand: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.recognition.heic.INSTALLED", False)
    with pytest.raises(ImageRejectedError) as refused:
        open_image(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(100))
    assert refused.value.code == "unsupported_format"
    assert "HEIC" in refused.value.message
    assert "heif-convert" in refused.value.hint
    assert "readsmith[heic]" in refused.value.hint


REFUSED = {
    "nothing": (b"", "not_an_image"),
    "text": (b"hello, I am a text", "not_an_image"),
    "half a png": (encoded(DARK_ON_LIGHT)[:60], "not_an_image"),
    "half a jpeg": (encoded(DARK_ON_LIGHT, "JPEG")[:300], "not_an_image"),
    "a header without pixels": (png_header(64, 16), "not_an_image"),
    "just over the limit": (png_header(5000, MAX_PIXELS // 5000 + 1), "image_too_large"),
    "over the limit where Pillow warns": (png_header(12_000, 12_000), "image_too_large"),
    "over the limit where Pillow raises": (png_header(60_000, 60_000), "image_too_large"),
    "pdf": (b"%PDF-1.7", "unsupported_format"),
    "web page": (b"<!doctype html><html>", "unsupported_format"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
    "ico": (encoded(DARK_ON_LIGHT, "ICO"), "unsupported_format"),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_a_readable_image_is_refused_with_its_reason(data: bytes, code: str) -> None:
    with pytest.raises(ImageRejectedError) as refused:
        preprocess(data, SPEC)
    assert refused.value.code == code
    assert refused.value.hint


def test_a_parser_that_is_not_allowed_stays_out_of_reach() -> None:
    with pytest.raises(ImageRejectedError):
        open_image(encoded(DARK_ON_LIGHT, "PCX"))


VICTIMS = [
    encoded(DARK_ON_LIGHT.convert("RGB"), "TIFF", compression="jpeg"),
    encoded(DARK_ON_LIGHT, "TIFF", compression="tiff_adobe_deflate"),
    encoded(DARK_ON_LIGHT, exif=exif_orientation(3)),
    encoded(DARK_ON_LIGHT, "WEBP", exif=exif_orientation(3)),
    encoded(DARK_ON_LIGHT, "GIF"),
    encoded(DARK_ON_LIGHT, "BMP"),
    encoded(DARK_ON_LIGHT, "AVIF"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.sampled_from(VICTIMS), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4))))
def test_damaged_bytes_are_read_or_refused_but_never_crash(
    data: bytes, damage: list[tuple[int, bytes]]
) -> None:
    damaged = bytearray(data)
    for position, replacement in damage:
        damaged[position : position + len(replacement)] = replacement
    try:
        image = open_image(bytes(damaged))
    except ImageRejectedError:
        return
    assert image.mode in ("L", "RGB")


def test_a_tag_of_an_unexpected_type_is_a_refusal() -> None:
    """Pillow raises TypeError for a TIFF whose strip offset is a fraction."""
    data = bytearray(encoded(DARK_ON_LIGHT, "TIFF"))
    strip_offsets_short, rational = struct.pack("<HH", 273, 4), struct.pack("<HH", 273, 5)
    position = data.find(strip_offsets_short)
    assert position > 0
    data[position : position + 4] = rational
    with pytest.raises(ImageRejectedError):
        open_image(bytes(data))


@pytest.mark.parametrize(("size", "end"), [((100, 25), 1.0), ((50, 25), 2.0), ((9, 900), 100.0)])
def test_a_padded_image_ends_before_its_input_does(size: tuple[int, int], end: float) -> None:
    padded = ImageSpec(height=25, width=100, channels=1, resize="pad", standardize=False)
    stretched = padded.model_copy(update={"resize": "stretch"})
    assert padded.span(size) == (0, end)
    assert stretched.span(size) == (0, 1)


FOLLOWING = ImageSpec(height=32, width=320, channels=1, resize="follow", standardize=True)


@pytest.mark.parametrize(
    ("size", "width", "content"),
    [
        ((64, 32), 64, 64),
        ((65, 32), 96, 65),
        ((200, 20), 320, 320),
        ((5000, 20), 320, 320),
        ((1, 900), 32, 1),
    ],
)
def test_an_input_is_as_wide_as_its_image_in_steps(
    size: tuple[int, int], width: int, content: int
) -> None:
    assert FOLLOWING.input_width(size) == width
    pixels = fit(Image.new("L", size, 9), FOLLOWING)
    assert pixels.shape == (32, width, 1)
    assert FOLLOWING.content_size(size) == (content, 32)


def test_narrow_text_is_widened() -> None:
    wider = FOLLOWING.model_copy(update={"widening": 2.5})
    assert wider.content_size((64, 32)) == (160, 32)
    assert wider.span((64, 32)) == (0, 1)


def test_a_batch_is_as_wide_as_its_widest_image_and_each_is_normalised_alone() -> None:
    chance = np.random.default_rng(0)
    images = [chance.integers(0, 256, (32, width, 1), np.uint8) for width in (32, 96, 64)]
    batch = to_batch(images, FOLLOWING)
    assert batch.shape == (3, 32, 96, 1)
    for row, one in zip(batch, images, strict=True):
        alone = normalize(one[np.newaxis], FOLLOWING)[0]
        assert np.array_equal(row[:, : one.shape[1]], alone)
        assert not row[:, one.shape[1] :].any()


def test_only_the_region_becomes_the_input() -> None:
    region = Region(left=0.25, top=0.5, right=0.75, bottom=1.0)
    spec = ImageSpec(
        height=10, width=50, channels=1, resize="stretch", standardize=False, region=region
    )
    whole = np.zeros((20, 100), np.uint8)
    whole[10:, 25:75] = np.arange(50)
    found = fit(Image.fromarray(whole), spec)
    assert np.array_equal(found[..., 0], whole[10:, 25:75])
    assert spec.span((100, 20)) == (0.25, 0.75)


@pytest.mark.parametrize(
    "sides", [(0.5, 0, 0.5, 1), (0.6, 0, 0.5, 1), (0, 0.9, 1, 0.1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1)]
)
def test_a_region_holds_something(sides: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = map(float, sides)
    with pytest.raises(ValidationError):
        Region(left=left, top=top, right=right, bottom=bottom)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 500), (500, 1)])
def test_a_region_of_the_smallest_image_is_a_pixel_at_least(size: tuple[int, int]) -> None:
    left, top, right, bottom = Region(left=0.4, top=0.4, right=0.41, bottom=0.41).box(size)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
