"""Rejects images that are small to send and expensive to decode, before they are decoded.

Pillow's own limits mostly bound its memory, but not its time: a TIFF of 4 MB that lists the same
strip two million times took minutes to decode, and a JPEG may repeat its scans any number of
times. No image of a line of text comes near the limits here.
"""

import io
import warnings

from PIL import AvifImagePlugin, Image, PngImagePlugin

from shared.recognition.heic import HEIF, heif_pixels
from shared.recognition.image_headers import TooExpensiveError, avif_pixels, jpeg_coefficients

MAX_PIXELS = 10_000_000
"""Decoded at a time: Pillow only warns up to 179 megapixels, and a PNG of 21 kB with 177 takes
843 MiB."""
MAX_JPEG_PIXELS = 50_000_000
"""Of a JPEG, as phones take them: it is decoded at a half, a quarter or an eighth of its size."""
MAX_SIDE = 50_000
"""Pixels; every row takes memory of its own, so an image one pixel wide would be expensive."""
MAX_REDUCED_BYTES = 90_000_000
"""For decoding a JPEG of more than MAX_PIXELS."""
MAX_AVIF_PIXELS = 3 * MAX_PIXELS
"""Of colour, transparency and a preview together."""

MAX_HEIC_PIXELS = 12_500_000
"""Of a HEIC, as phones take them: it cannot be decoded at a fraction of its size."""

MAX_READS = 100_000
"""Calls of read() by a parser, which reads every chunk, block or run separately."""
MAX_METADATA_BYTES = 1_000_000
"""For one colour profile, one set of EXIF tags, one list of strips."""
MAX_TEXT_BYTES = 4_000_000
"""For all texts in a PNG, decompressed; they may take four times that in memory."""
MAX_JPEG_SCANS = 100
MAX_EXIF_SEGMENTS = 20
"""Each has up to 64 kB; Pillow joins them one by one."""
MAX_PLAIN_BYTES = 200_000
"""For a PPM in decimal digits: its comments take time quadratic in their number."""
MAX_COVERAGE = 8
"""How many times the strips and tiles of a TIFF may cover the image: once for each plane."""
MAX_TILE_PIXELS = 10_000_000
"""Of a tile of a TIFF, which is decompressed whole, however small the image is."""

GRAY_BYTES, COLOUR_BYTES, WIDE_BYTES, WEBP_BYTES = 3, 9, 12, 17
"""Most memory that decoding takes for each pixel, measured at ten megapixels: gray; colour, also
with transparency; more than 8 bits; WEBP and AVIF, whose decoders have canvases of their own."""

PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT_BYTES
# One damaged image can raise thousands of warnings, and Python stores each to show it only once.
warnings.filterwarnings("ignore", module=r"PIL\.")
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each further one has buffers of its own

_TILE_WIDTH, _TILE_LENGTH = 322, 323
_JPEG = ("JPEG", "MPO")


class MeteredBytes(io.BytesIO):
    """An image's bytes for a parser; read() raises TooExpensiveError beyond the limits."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads = 0
        self.opened = False
        """Whether the headers have been read; until then no single read may be large."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        self._reads += 1
        if self._reads > MAX_READS:
            raise TooExpensiveError(f"more than {MAX_READS:,} parts")
        if size is not None and size > MAX_METADATA_BYTES and not self.opened:
            raise TooExpensiveError(
                f"a block of metadata of more than {MAX_METADATA_BYTES:,} bytes"
            )
        return super().read(size)


def is_transparent(image: Image.Image) -> bool:
    """Tell whether an opened image has transparent parts, by its headers."""
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def decoding_bytes(image: Image.Image, data: bytes) -> int:
    """Return the most memory that decoding an opened image takes until it is in mode L or RGB."""
    pixels = image.width * image.height
    if image.format in _JPEG:
        coefficients = jpeg_coefficients(data)
        whole = WIDE_BYTES * pixels if coefficients is None else coefficients
        return max(_pixel_bytes(image) * pixels, whole + 4 * pixels)
    if image.format == "AVIF":
        return WEBP_BYTES * max(pixels, avif_pixels(data) // 2)
    if image.format == HEIF:
        # What decoding takes for each of its pictures, of which one after the other is decoded.
        each = WEBP_BYTES if is_transparent(image) else WIDE_BYTES
        return each * max(pixels, heif_pixels(data) // 2)
    tags = getattr(image, "tag_v2", {})
    tile: int = tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0)  # decompressed whole
    return _pixel_bytes(image) * max(pixels, tile)


def _pixel_bytes(image: Image.Image) -> int:
    if image.format == "WEBP":
        return WEBP_BYTES
    if image.mode[0] in "IF" or image.mode == "CMYK":
        return WIDE_BYTES
    return GRAY_BYTES if image.mode in ("1", "L") and not is_transparent(image) else COLOUR_BYTES


def reduce(image: Image.Image, data: bytes) -> None:
    """Have an opened JPEG of more than MAX_PIXELS decoded at the largest scale that is allowed.

    Its width and height change; none of that if it is too large at any scale.
    """
    size = image.size
    large = MAX_PIXELS < size[0] * size[1] <= MAX_JPEG_PIXELS and max(size) <= MAX_SIDE
    if image.format not in _JPEG or not large:
        return
    coefficients = jpeg_coefficients(data)
    if coefficients is None:
        return
    for scale in (2, 4, 8):
        pixels = (size[0] // scale + 1) * (size[1] // scale + 1)
        most = max(_pixel_bytes(image) * pixels, coefficients + 4 * pixels)
        if pixels <= MAX_PIXELS and most <= MAX_REDUCED_BYTES:
            image.draft(None, (max(1, size[0] // scale), max(1, size[1] // scale)))
            return


def most_pixels(image: Image.Image) -> int:
    """Return how many pixels an opened image may have."""
    return MAX_HEIC_PIXELS if image.format == HEIF else MAX_PIXELS


def check_bytes(data: bytes) -> None:
    """Raise TooExpensiveError for a JPEG of too many parts, counted without parsing it."""
    if not data.startswith(b"\xff\xd8"):
        return
    if data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise TooExpensiveError(f"more than {MAX_JPEG_SCANS} scans")
    if data.count(b"Exif\0\0") > MAX_EXIF_SEGMENTS:
        raise TooExpensiveError(f"more than {MAX_EXIF_SEGMENTS} sets of EXIF tags")


def check_headers(image: Image.Image, data: bytes) -> None:
    """Raise TooExpensiveError for an image whose headers announce too much work.

    data: the encoded image.
    """
    if image.format == "AVIF" and avif_pixels(data) > MAX_AVIF_PIXELS:
        raise TooExpensiveError(f"frames of more than {MAX_AVIF_PIXELS:,} pixels")
    if image.format == HEIF and heif_pixels(data) > 3 * MAX_HEIC_PIXELS:
        raise TooExpensiveError(f"pictures of more than {3 * MAX_HEIC_PIXELS:,} pixels")
    if len(image.info.get("exif") or b"") > MAX_METADATA_BYTES:
        raise TooExpensiveError(f"more than {MAX_METADATA_BYTES:,} bytes of EXIF tags")
    tiles = getattr(image, "tile", [])
    if len(data) > MAX_PLAIN_BYTES and any(tile.codec_name == "ppm_plain" for tile in tiles):
        raise TooExpensiveError(f"more than {MAX_PLAIN_BYTES:,} bytes of decimal digits")
    tags = getattr(image, "tag_v2", {})
    if tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0) > MAX_TILE_PIXELS:
        raise TooExpensiveError(f"tiles of more than {MAX_TILE_PIXELS:,} pixels")
    area = image.width * image.height
    covered = 0
    for left, top, right, bottom in (tile.extents for tile in tiles if tile.extents):
        # Plus one: otherwise any number of empty tiles would pass.
        covered += 1 + (right - left) * (bottom - top)
        if covered > MAX_COVERAGE * (area + 1):
            raise TooExpensiveError("overlapping strips or tiles")
