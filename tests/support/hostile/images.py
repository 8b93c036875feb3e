"""Images that mean harm: each is small to send and would be dear to decode, or is no image."""

import io
import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

LARGE = (4000, 2500)
"""As many pixels as are allowed."""
FILE_BYTES = 9_000_000
"""The predictor takes 10 MB."""


def saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def large(mode: str) -> Image.Image:
    """Return an image of one colour: it packs to next to nothing."""
    return Image.new(mode, LARGE)


# PNG


def chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", check)


def png(*between: bytes, size: tuple[int, int] = (64, 16), depth: int = 8, kind: int = 0) -> bytes:
    """Return a black PNG with further chunks before its pixels."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    row = bytes(1 + (size[0] * depth * samples + 7) // 8)
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(row) for _ in range(size[1])) + packer.flush()
    head = struct.pack(">LLBBBBB", *size, depth, kind, 0, 0, 0)
    body = (chunk(b"IHDR", head), *between, chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def texts(value: bytes, kind: bytes, count: int) -> list[bytes]:
    """Return chunks whose text unpacks to value, each under a key of its own."""
    packed = zlib.compress(value, 9)
    middle = {b"zTXt": b"\0\0", b"iTXt": b"\0\1\0\0\0"}[kind]
    return [chunk(kind, f"{number}".encode() + middle + packed) for number in range(count)]


def small_chunks(kind: bytes) -> bytes:
    return chunk(kind, bytes(4)) * (FILE_BYTES // 16)


# EXIF and TIFF: both are directories of tags


def directory(tags: Sequence[tuple[int, int, int, int]], *, data: bytes = b"") -> bytes:
    """Return a little-endian TIFF of these tags (number, type, count, value), then data."""
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in sorted(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + data


SHORT, LONG, RATIONAL, BYTE, UNDEFINED = 3, 4, 5, 1, 7


def tiff(
    *further: tuple[int, int, int, int],
    size: tuple[int, int] = (64, 16),
    compression: int = 1,
    data: bytes = bytes(64 * 16),
    strips: bool = True,
    bits: int = 8,
) -> bytes:
    """Return a gray TIFF; further tags replace its own."""
    tags = {
        256: (256, LONG, 1, size[0]),
        257: (257, LONG, 1, size[1]),
        258: (258, SHORT, 1, bits),
        259: (259, SHORT, 1, compression),
        262: (262, SHORT, 1, 1),
        277: (277, SHORT, 1, 1),
    }
    if strips:
        tags |= {
            273: (273, LONG, 1, 0),
            278: (278, LONG, 1, size[1]),
            279: (279, LONG, 1, len(data)),
        }
    tags |= {tag[0]: tag for tag in further}
    start = 8 + 2 + 12 * len(tags) + 4
    if tags.get(273, (0, 0, 0, 1))[3] == 0:
        tags[273] = (273, LONG, 1, start)
    return directory(list(tags.values()), data=data)


def data_place(tags: int) -> int:
    """Return where the data of a TIFF of so many tags begins."""
    return 8 + 2 + 12 * tags + 4


# JPEG


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_with(*segments: bytes, image: Image.Image | None = None) -> bytes:
    """Return a JPEG with further segments behind its first marker."""
    data = saved(image or Image.new("L", (64, 16)), "JPEG")
    return data[:2] + b"".join(segments) + data[2:]


def many_scans(count: int) -> bytes:
    """Return a progressive JPEG whose last scan comes again and again."""
    data = saved(Image.new("L", (64, 16)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9"


# GIF, BMP, PPM


def gif(*extensions: bytes) -> bytes:
    data = saved(Image.new("L", (64, 16)), "GIF")
    start = 13 + (3 << ((data[10] & 7) + 1))
    return data[:start] + b"".join(extensions) + data[start:]


def bmp_rle(commands: bytes, size: tuple[int, int] = LARGE, bits: int = 8) -> bytes:
    palette = b"".join(struct.pack("<4B", n, 0, n, 0) for n in range(1 << bits))
    head = struct.pack("<LllHHLLllLL", 40, *size, 1, bits, 1 if bits == 8 else 2, 0, 0, 0, 0, 0)
    offset = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<LHHL", 0, 0, 0, offset) + head + palette + commands


def aliased(tags: int, kind: int, count: int, data: bytes) -> bytes:
    """Return a TIFF whose tags all show the same data."""
    return directory([(1000 + n, kind, count, data_place(tags)) for n in range(tags)], data=data)


ONES = b"\x01\0\0\0\x01\0\0\0"
"""A fraction."""
ZEROS = bytes(50_000_000)


def one_strip_again_and_again(strips: int) -> bytes:
    """Return a TIFF that lists almost the whole image as a strip, so many times."""
    offsets = (273, SHORT, strips, data_place(9))
    return tiff(offsets, (278, LONG, 1, 15), (279, LONG, 1, 1000), data=bytes(2 * strips))


def huge_tile() -> bytes:
    """Return a TIFF of 64x16 pixels in one tile of 400 million."""
    data = zlib.compress(ZEROS[:1000])
    tile = ((322, LONG, 1, 20_000), (323, LONG, 1, 20_000))
    place = ((324, LONG, 1, data_place(10)), (325, LONG, 1, len(data)))
    return tiff(*tile, *place, strips=False, compression=8, data=data)


def fractions_as_orientation() -> bytes:
    tags = [(0x112, RATIONAL, 100_000, data_place(1))]
    return png(chunk(b"eXIf", directory(tags, data=ONES * 100_000)))


def photograph(size: tuple[int, int], **options: object) -> bytes:
    """Return a JPEG of blurred noise, as large as a phone's camera makes them."""
    chance = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    return saved(Image.fromarray(chance).resize(size), "JPEG", quality=90, **options)


def in_several_scans(size: tuple[int, int]) -> bytes:
    """Return the head of a JPEG that is not progressive, whose first scan has one colour."""
    data = bytearray(photograph((64, 16)))
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    data[frame + 5 : frame + 9] = struct.pack(">HH", size[1], size[0])
    return (
        bytes(data[:scan]) + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + bytes(data[scan + 14 :])
    )


def avif(image: Image.Image, **options: object) -> bytes:
    return saved(image, "AVIF", speed=10, **options)


def avif_that_says(size: tuple[int, int], data: bytes) -> bytes:
    """Return an AVIF whose container gives another size than its frames have."""
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">LL", *size) + data[place + 8 :]


def avif_of_many_frames(count: int) -> bytes:
    """Return an AVIF whose item has its only frame again and again."""
    data = avif(Image.new("L", (64, 16)))
    content = data.index(b"mdat") + 4
    place = data.index(b"iloc")
    item = data[content:]
    frame = item[item.index(b"\x32") :]  # an OBU of a frame that names its size
    longer = item + frame * (count - 1)
    head = bytearray(data[:content])
    head[content - 8 : content - 4] = struct.pack(">L", 8 + len(longer))
    length = place + 4 + 4 + 2 + 2 + 2 + 2 + 2 + 4  # behind version, widths, count, item and offset
    head[length : length + 4] = struct.pack(">L", len(longer))
    return bytes(head) + longer


def animated_avif() -> bytes:
    frames = [Image.new("L", (64, 16), 200)]
    return avif(Image.new("L", (64, 16)), save_all=True, append_images=frames)


Builder = Callable[[], bytes]

READ: dict[str, Builder] = {
    "10 MP of gray with transparency": lambda: saved(large("LA"), "PNG"),
    "10 MP of colour with transparency": lambda: saved(large("RGBA"), "PNG"),
    "10 MP of 16 bits with transparency": lambda: png(size=LARGE, depth=16, kind=6),
    "10 MP of a palette with transparency": lambda: saved(
        large("P"), "PNG", transparency=bytes(range(256))
    ),
    "10 MP with a transparent colour": lambda: saved(large("RGB"), "PNG", transparency=(1, 2, 3)),
    "10 MP of 16 bits with a transparent value": lambda: saved(
        large("I;16"), "PNG", transparency=300
    ),
    "10 MP of 16 bits": lambda: saved(large("I;16"), "PNG"),
    "10 MP of fractions": lambda: saved(large("F"), "TIFF", compression="tiff_lzw"),
    "10 MP of CMYK": lambda: saved(large("CMYK"), "JPEG"),
    "10 MP of WebP with transparency": lambda: saved(large("RGBA"), "WEBP", lossless=True),
    "10 MP of AVIF with transparency": lambda: avif(large("RGBA"), subsampling="4:4:4"),
    "50 MP of a photograph": lambda: photograph((8160, 6120)),
    "24 MP of a progressive photograph": lambda: photograph((6000, 4000), progressive=True),
    "10 MP of a photograph in full colour": lambda: photograph(
        LARGE, progressive=True, subsampling=0
    ),
    "10 MP of transparent GIF": lambda: saved(large("P"), "GIF", transparency=0),
    "a row of 50,000": lambda: png(size=(50_000, 1)),
    "a column of 50,000": lambda: png(size=(1, 50_000)),
    "jumps over the whole image": lambda: bmp_rle(b"\0\2\xff\xff" * 1000, (50_000, 1)),
    "one pixel": lambda: png(size=(1, 1)),
    "EXIF tags that all show the same megabyte": lambda: png(
        chunk(b"eXIf", aliased(10_000, BYTE, 500_000, bytes(500_000)))
    ),
    "an orientation of 100,000 fractions": fractions_as_orientation,
    "a PNG with a zip behind it": lambda: png() + b"PK\x03\x04" + bytes(1000),
    "a GIF with a script in its comment": lambda: gif(b"!\xfe\x08<script>\0"),
}

TOO_LARGE, NO_IMAGE = "image_too_large", "not_an_image"

REFUSED: dict[str, tuple[Builder, str]] = {
    "texts that unpack": (lambda: png(*texts(bytes(1_000_000), b"zTXt", 9)), NO_IMAGE),
    "texts of four bytes each": (
        lambda: png(*texts(b"a" * 999_990 + "😀".encode(), b"iTXt", 9)),
        NO_IMAGE,
    ),
    "a text of 50 MB": (lambda: png(*texts(ZEROS, b"zTXt", 1)), NO_IMAGE),
    "a colour profile of 50 MB": (
        lambda: png(chunk(b"iCCP", b"a\0\0" + zlib.compress(ZEROS))),
        NO_IMAGE,
    ),
    "half a million chunks": (lambda: png(small_chunks(b"prVt")), TOO_LARGE),
    "2 MB of EXIF tags": (lambda: png(chunk(b"eXIf", bytes(2_000_000))), TOO_LARGE),
    "a row of ten million": (lambda: png(size=(10_000_000, 1)), TOO_LARGE),
    "a column of ten million": (lambda: bmp_rle(b"", (1, 10_000_000)), TOO_LARGE),
    "a thousand scans": (lambda: many_scans(1000), TOO_LARGE),
    "EXIF tags in 50,000 segments": (
        lambda: jpeg_with(segment(0xE1, b"Exif\0\0" + b"x" * 10) * 50_000),
        TOO_LARGE,
    ),
    "two million segments": (lambda: jpeg_with(segment(0xE5, b"") * 2_000_000), TOO_LARGE),
    "four million comments": (lambda: gif(b"!\xfe" + b"\x01a" * 4_000_000 + b"\0"), TOO_LARGE),
    "nothing but junk": (lambda: gif(b"a" * FILE_BYTES), TOO_LARGE),
    "runs of one pixel": (lambda: bmp_rle(b"\x01\x01" * 4_000_000), TOO_LARGE),
    "a strip a hundred thousand times": (lambda: one_strip_again_and_again(100_000), TOO_LARGE),
    "a strip two million times": (lambda: one_strip_again_and_again(2_000_000), TOO_LARGE),
    "a tile of 400 MP": (huge_tile, TOO_LARGE),
    "a million fractions": (
        lambda: tiff((282, RATIONAL, 1_000_000, data_place(10)), data=ONES * 1_000_000),
        TOO_LARGE,
    ),
    "a greatest value that is odd": (lambda: b"P5 3000 3000 254 " + bytes(FILE_BYTES), TOO_LARGE),
    "nine million digits": (lambda: b"P1 3000 3000 " + b"1" * FILE_BYTES, TOO_LARGE),
    "200,000 comments": (lambda: b"P2 2121 2121 255 " + b"#\n" * 200_000, TOO_LARGE),
    "an endless comment": (lambda: b"P5 #" + b"a" * FILE_BYTES, TOO_LARGE),
    "51 MP of a photograph": (lambda: photograph((8160, 6260)), TOO_LARGE),
    "48 MP of a progressive photograph": (
        lambda: photograph((8000, 6000), progressive=True),
        TOO_LARGE,
    ),
    "48 MP in several scans": (lambda: in_several_scans((8000, 6000)), TOO_LARGE),
    "an AVIF of 108 MP that says 64x16": (
        lambda: avif_that_says((64, 16), avif(Image.new("L", (12_000, 9000)))),
        TOO_LARGE,
    ),
    "an AVIF of a thousand frames": (lambda: avif_of_many_frames(1000), TOO_LARGE),
    "an animated AVIF": (animated_avif, TOO_LARGE),
    "a greatest value beyond 16 bits": (lambda: b"P5 9 9 99999 " + bytes(81), NO_IMAGE),
    "no width": (lambda: png(size=(0, 5)), NO_IMAGE),
    "no height": (lambda: b"P5 5 0 255 ", NO_IMAGE),
    "a GIF of 65,535 squared": (
        lambda: b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
        TOO_LARGE,
    ),
    "fractions that are none": (
        lambda: saved(Image.fromarray(np.full((9, 9), np.nan, np.float32)), "TIFF"),
        NO_IMAGE,
    ),
    "fractions too great to subtract": (
        lambda: saved(Image.fromarray(np.array([[3e38, -3e38]], np.float32)), "TIFF"),
        NO_IMAGE,
    ),
    "a TIFF whose only directory is its header": (lambda: b"II*\0\0\0\0\0" + bytes(9), NO_IMAGE),
}
