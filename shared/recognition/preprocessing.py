"""From an image's bytes to a model's input: the same code for training and for serving."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageStat, UnidentifiedImageError
from PIL.ExifTags import Base as ExifTag
from PIL.Image import Transpose

from shared.errors import (
    ImageFormatError,
    ImageTooLargeError,
    NotAnImageError,
    ReadsmithError,
)
from shared.recognition import heic
from shared.recognition.image_headers import TooExpensiveError
from shared.recognition.image_limits import (
    MAX_JPEG_PIXELS,
    MAX_PIXELS,
    MAX_SIDE,
    MeteredBytes,
    check_bytes,
    check_headers,
    decoding_bytes,
    is_transparent,
    most_pixels,
    reduce,
)
from shared.recognition.image_spec import ImageSpec, Rows
from shared.recognition.lines.rows import find_gap, join_rows

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF")
"""Pillow formats that are accepted, beside HEIC where its reader is installed: no request reaches
any other parser."""

CUT_OUT = "Cut the line of text out of the image: nothing else in it is read."
"""What to do about an image that is too large, usually a photograph of much more than a line."""
PIXEL_LIMITS = (
    f"The limit is {MAX_PIXELS:,} pixels ({MAX_JPEG_PIXELS:,} of a JPEG that is not progressive), "
    f"and {MAX_SIDE:,} on a side."
)

MAX_VALUE = 1e30
"""In an image of floats: beyond it, differences overflow."""

Reserve = Callable[[int], object]
"""Takes the bytes of memory that decoding an image needs; raises what ends it."""

LARGE = 8
"""Images so many times as high as the input are reduced before their rows are joined, which would
take as much memory as the image once more."""

MIN_DEVIATION = 1 / 255
"""Floor of the standard deviation, so that a uniform image stays finite."""


def open_image(data: bytes, reserve: Reserve | None = None) -> Image.Image:
    """Decode an image: first frame, oriented by its EXIF tag, mode L or RGB, opaque.

    A JPEG of more than MAX_PIXELS is decoded at a fraction of its size.

    reserve: called before decoding. Raises what it raises, and ImageRejectedError before decoding
    if the format or the size is not allowed.
    """
    return _decode(data, reserve)[1]


def image_format(data: bytes) -> str:
    """Return the format of an image that open_image accepts, in lower case: png, jpeg, …

    Raises what open_image raises: the image is decoded.
    """
    return _decode(data)[0]


def format_and_size(data: bytes) -> tuple[str, tuple[int, int]]:
    """Return the same format, and width and height as open_image has them; raises likewise."""
    kind, image = _decode(data)
    return kind, image.size


def formats_of(data: bytes) -> tuple[str, ...]:
    """Return the Pillow formats that an image's bytes may have."""
    if not (heic.INSTALLED and heic.is_heic(data)):
        return FORMATS
    heic.register()
    return (heic.HEIF,)


def size_as_sent(data: bytes, opened: Image.Image) -> tuple[int, int]:
    """Return the width and height of an image before open_image has reduced it, but turned.

    data: of an image that open_image accepts.
    """
    with Image.open(io.BytesIO(data), formats=formats_of(data)) as file:
        width, height = file.size
    turned = (width > height) != (opened.width > opened.height)
    return (height, width) if turned else (width, height)


def _decode(data: bytes, reserve: Reserve | None = None) -> tuple[str, Image.Image]:
    try:
        return _load(_open(data, reserve))  # no name here keeps the image that _load drops
    except ReadsmithError:
        raise
    except TooExpensiveError as error:
        raise ImageTooLargeError(
            "image_too_large", f"The image has {error}.", "Save it again, as a plain PNG."
        ) from error
    except Exception as error:  # Pillow's parsers raise anything on hostile data, TypeError too
        raise NotAnImageError(
            "not_an_image", f"The image is damaged: {_message(error)}.", "Send the whole file."
        ) from error


def _open(data: bytes, reserve: Reserve | None) -> Image.Image:
    check_bytes(data)
    file = MeteredBytes(data)
    image = _identify(file, data)
    check_headers(image, data)
    if reserve is not None:
        reserve(decoding_bytes(image, data))
    file.opened = True
    return image


def _load(image: Image.Image) -> tuple[str, Image.Image]:
    """Return an opened image's format, and its pixels as open_image has them."""
    transparent = is_transparent(image)  # a chunk that only comes after the pixels is no sign of it
    image.load()
    found = (image.format or "PNG").lower()
    turn = _TRANSPOSITIONS.get(image.getexif().get(ExifTag.Orientation, 1))
    # Each step drops the image before it: ten megapixels take 40 MB in every one of them.
    if transparent:
        image = _with_alpha(image)
        image = _on_background(image)
    else:
        image = _flatten(image)
    if turn is not None:
        image = image.transpose(turn)
    return "jpeg" if found == "mpo" else found, image


def _identify(file: MeteredBytes, data: bytes) -> Image.Image:
    try:
        image = Image.open(file, formats=formats_of(data))
    except UnidentifiedImageError:
        raise _unidentified(data) from None
    except Image.DecompressionBombError:  # twice Pillow's own limit; below it Pillow only warns
        raise ImageTooLargeError(
            "image_too_large", "The image is far too large.", f"{CUT_OUT} {PIXEL_LIMITS}"
        ) from None
    found = image.size
    reduce(image, data)
    if image.width * image.height > most_pixels(image) or max(image.size) > MAX_SIDE:
        raise ImageTooLargeError(
            "image_too_large",
            f"The image has {found[0]}x{found[1]} pixels.",
            f"{CUT_OUT} {PIXEL_LIMITS}",
        )
    return image


HEIC_HINT = (
    "`heif-convert IN.heic OUT.jpg` (Debian: libheif-examples), or on a Mac `sips -s format jpeg "
    "*.heic --out .` converts it; an iPhone takes JPEG with Settings, Camera, Formats, Most "
    "Compatible. Where `pip install 'readsmith[heic]'` is run beside the service, HEIC is read."
)
_OTHER_FORMATS = {
    b"%PDF": "a PDF",
    b"%!PS": "PostScript",
    b"<svg": "an SVG",
    b"<?xml": "XML",
    b"<!DOCTYPE": "a web page",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"8BPS": "a Photoshop file",
    b"\x00\x00\x01\x00": "an icon",
    b"\x00\x00\x00\x0c": "JPEG 2000 or JPEG XL",
}
"""Well-known formats that are not supported, by how their files start."""


def _unidentified(data: bytes) -> ReadsmithError:
    hint = f"Formats: {', '.join([*FORMATS, *[heic.HEIF] * heic.INSTALLED])}."
    if heic.is_heic(data) and not heic.INSTALLED:
        message = (
            "The image is a HEIC photograph, as iPhones take them, which is not read here: convert "
            "it to JPEG, for example with heif-convert."
        )
        return ImageFormatError("unsupported_format", message, HEIC_HINT)
    if heic.is_heic(data):
        message = "The image is a HEIC photograph that is damaged or was cut short."
        return NotAnImageError("not_an_image", message, "Send the whole file, or a JPEG of it.")
    for start, name in _OTHER_FORMATS.items():
        if data.startswith(start):
            message = f"The data is {name}, which is not read here."
            return ImageFormatError("unsupported_format", message, f"Save it as PNG. {hint}")
    message = "The data is not an image in a supported format."
    return NotAnImageError("not_an_image", message, hint)


_TRANSPOSITIONS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""The transposition that undoes each EXIF orientation."""


def _flatten(image: Image.Image) -> Image.Image:
    """Return an opaque image in mode L or RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_bytes(np.array(image, dtype=np.float32)))
    mode = "L" if image.mode in ("L", "1") else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale gray in place to 8 bits: 16 bits by 65,535, greater values by their own maximum."""
    low, high = float(values.min()), float(values.max())
    if not (low > -MAX_VALUE and high < MAX_VALUE):  # written so that NaN fails it
        raise ValueError("it holds values that are not finite or far too large")
    top = 255.0 if high <= 255.0 else max(65_535.0, high)
    bottom = min(0.0, low)
    values -= bottom
    values *= 255.0 / (top - bottom)
    return np.round(values, out=values).astype(np.uint8)


def _with_alpha(image: Image.Image) -> Image.Image:
    """Return an image that has transparent parts in mode RGBA."""
    if not image.mode.startswith("I"):
        return image if image.mode == "RGBA" else image.convert("RGBA")
    # Pillow cuts 16 bits off at 255, and all but the darkest gray would be white.
    hidden = Image.fromarray(np.array(image) == image.info.get("transparency"))
    image = _flatten(image)
    image.putalpha(hidden.convert("L").point(lambda value: 255 - value))
    return image.convert("RGBA")


def _on_background(image: Image.Image) -> Image.Image:
    """Put an RGBA image on white, or on black if its content is light."""
    alpha = image.getchannel("A")
    opaque = ImageStat.Stat(alpha).sum[0]
    drawn = 255 * ImageStat.Stat(ImageChops.multiply(image.convert("L"), alpha)).sum[0]
    # An image that is mostly opaque brings its own ground.
    light = drawn > 127 * opaque and opaque < 127 * image.width * image.height
    background = Image.new("RGB", image.size, (0, 0, 0) if light else (255, 255, 255))
    background.paste(image, mask=image)
    return background


@dataclass(frozen=True)
class Line:
    """The line of text of an image that may have two rows, and how many it has."""

    image: Image.Image
    """Of this width and height the spec's of_lines makes an input."""
    rows: Rows


def cut_line(image: Image.Image, spec: ImageSpec) -> Line:
    """Cut the line of text out of an image: its region, whose two rows, if it has them, joined."""
    if spec.region is not None:
        image = image.crop(spec.region.box(image.size))
    if spec.rows == 1:
        return Line(image, 1)
    if (factor := image.height // (LARGE * spec.height)) > 1:
        image = image.reduce(factor)
    gap = find_gap(image)
    if gap is None:
        return Line(image, 1)
    return Line(join_rows(image, gap, right_to_left=spec.direction == "rtl"), 2)


def fit(image: Image.Image, spec: ImageSpec) -> NDArray[np.uint8]:
    """Bring an image to the spec's size and channels: uint8 (H, W, C), bilinear, antialiased.

    W is the spec's input_width of the size of the image, or of its line if it may have two rows.
    """
    if spec.rows == 2:
        return fit(cut_line(image, spec).image, spec.of_lines)
    mode = "L" if spec.channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    content, width = spec.content_size(image.size), spec.input_width(image.size)
    box = None if spec.region is None else spec.region.box(image.size)
    if image.size != content or box is not None:
        image = image.resize(content, Image.Resampling.BILINEAR, box)
    pixels = _pixels(image).reshape(content[1], content[0], spec.channels)
    if content == (width, spec.height):
        return pixels
    canvas = np.empty((spec.height, width, spec.channels), dtype=np.uint8)
    canvas[:] = np.round(pixels.mean(axis=(0, 1)))
    canvas[: content[1], : content[0]] = pixels
    return canvas


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Return the values of an image in mode L or RGB, flat; faster than np.asarray."""
    return np.frombuffer(image.tobytes(), dtype=np.uint8)


def to_batch(images: Sequence[NDArray[np.uint8]], spec: ImageSpec) -> NDArray[np.float32]:
    """Turn fitted images, uint8 (H, w, C), into a batch of inputs as wide as its widest image.

    Narrower ones are normalised first, then filled with zeros: the mean if they are standardised.
    """
    widest = max(image.shape[1] for image in images)
    if all(image.shape[1] == widest for image in images):
        return normalize(np.stack(images), spec)
    batch = np.zeros((len(images), spec.height, widest, spec.channels), np.float32)
    for row, image in zip(batch, images, strict=True):
        row[:, : image.shape[1]] = normalize(image[np.newaxis], spec)[0]
    return batch


def normalize(pixels: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.float32]:
    """Turn uint8 (N, H, W, C) into float32 inputs (N, H, W, C), or (N, W, H, C) for layout WHC."""
    values = pixels.astype(np.float32)
    flat = values.reshape(len(values), -1)  # in place: ten times faster than through temporaries
    if spec.standardize:
        flat -= flat.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.einsum("ij,ij->i", flat, flat) / flat.shape[1])
        flat /= np.maximum(deviation, np.float32(MIN_DEVIATION * 255))[:, np.newaxis]
    else:
        flat /= np.float32(255)
    if spec.layout == "WHC":
        values = np.ascontiguousarray(values.transpose(0, 2, 1, 3))
    return values


def preprocess(data: bytes, spec: ImageSpec) -> NDArray[np.float32]:
    """Turn one image's bytes into one input, float32 (H, W, C), or (W, H, C) for layout WHC.

    Raises ImageRejectedError.
    """
    return to_input(open_image(data), spec)


def to_input(image: Image.Image, spec: ImageSpec) -> NDArray[np.float32]:
    """Turn an opened image into one input, float32 (H, W, C), or (W, H, C) for layout WHC."""
    return np.asarray(normalize(fit(image, spec)[np.newaxis], spec)[0])


def _message(error: Exception) -> str:
    """Return Pillow's message, which some of its plugins give as bytes."""
    said = error.args[0] if error.args else error
    return said.decode("ascii", "replace") if isinstance(said, bytes) else str(error)
