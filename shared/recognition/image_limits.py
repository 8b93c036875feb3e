"""Refuses images that are small to send and dear to decode, before they are decoded.

Pillow's own limits hold its memory, mostly, but not its time: a TIFF of 4 MB that lists the same
strip two million times kept it busy for minutes, and a JPEG may repeat its scans as often as it
likes. No image of a line of text comes near the limits here.
"""

import io
import warnings

from PIL import Image, PngImagePlugin

MAX_READS = 100_000
"""So often a parser may ask for the next bytes: it asks for every chunk, block or run."""
MAX_METADATA_BYTES = 1_000_000
"""Of one colour profile, one set of EXIF tags, one list of strips."""
MAX_TEXT_BYTES = 4_000_000
"""Of all texts in a PNG, unpacked; they may take four times that in memory."""
MAX_JPEG_SCANS = 100
MAX_EXIF_SEGMENTS = 20
"""Each has up to 64 kB; Pillow joins them one by one."""
MAX_PLAIN_BYTES = 200_000
"""Of a PPM written in decimal digits, whose comments take the square of their number in time."""
MAX_COVERAGE = 8
"""How many times the strips and tiles of a TIFF may cover the image; each plane does once."""
MAX_TILE_PIXELS = 10_000_000
"""Of a tile of a TIFF, which is unpacked whole, however small the image is."""

PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT_BYTES
# One damaged image can give thousands of warnings, all kept so that each is shown only once.
warnings.filterwarnings("ignore", module=r"PIL\.")

_TILE_WIDTH, _TILE_LENGTH = 322, 323


class TooDearError(Exception):
    """An image whose decoding would take far more than its pixels are worth; says what has it."""


class MeteredBytes(io.BytesIO):
    """An image's bytes for a parser; reading raises TooDearError when it is asked too much."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads = 0
        self.opened = False
        """Whether the headers are read: until then nothing large may be asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        self._reads += 1
        if self._reads > MAX_READS:
            raise TooDearError(f"more than {MAX_READS:,} parts")
        if size is not None and size > MAX_METADATA_BYTES and not self.opened:
            raise TooDearError(f"more than {MAX_METADATA_BYTES:,} bytes of metadata in one piece")
        return super().read(size)


def judge_bytes(data: bytes) -> None:
    """Raise TooDearError for a JPEG of too many parts, which its bytes tell at once."""
    if not data.startswith(b"\xff\xd8"):
        return
    if data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise TooDearError(f"more than {MAX_JPEG_SCANS} scans")
    if data.count(b"Exif\0\0") > MAX_EXIF_SEGMENTS:
        raise TooDearError(f"more than {MAX_EXIF_SEGMENTS} sets of EXIF tags")


def judge_opened(image: Image.Image, size: int) -> None:
    """Raise TooDearError for what the headers tell; size: bytes of the encoded image."""
    if len(image.info.get("exif", b"")) > MAX_METADATA_BYTES:
        raise TooDearError(f"more than {MAX_METADATA_BYTES:,} bytes of EXIF tags")
    tiles = getattr(image, "tile", [])
    if size > MAX_PLAIN_BYTES and any(tile.codec_name == "ppm_plain" for tile in tiles):
        raise TooDearError(f"more than {MAX_PLAIN_BYTES:,} bytes of decimal digits")
    tags = getattr(image, "tag_v2", {})
    if tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0) > MAX_TILE_PIXELS:
        raise TooDearError(f"tiles of more than {MAX_TILE_PIXELS:,} pixels")
    area = image.width * image.height
    covered = 0
    for left, top, right, bottom in (tile.extents for tile in tiles if tile.extents):
        covered += 1 + (right - left) * (bottom - top)
        if covered > MAX_COVERAGE * (area + 1):
            raise TooDearError("strips or tiles that lie on one another")
