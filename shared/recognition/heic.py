"""HEIC, where the extra readsmith[heic] is installed, and what decoding one will take.

Its container tells a size, its HEVC pictures have sizes of their own, and it may hold any number
of them: phones write a grid of tiles, a thumbnail and a map of brightness.
"""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec

from shared.recognition.image_headers import Bits, TooExpensiveError, boxes, each_box, items

HEIF = "HEIF"
"""Pillow's name of the format."""
INSTALLED = find_spec("pillow_heif") is not None
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

_PICTURE, _GRID = b"hvc1", b"grid"
_WITHOUT_PIXELS = (b"Exif", b"mime", b"uri ", b"tmap")
_PARAMETER_SETS = range(32, 35)
_SEQUENCE_PARAMETERS = 33
_LONGEST_GOLOMB = 32


def is_heic(data: bytes) -> bool:
    """Say whether data begins as a HEIC does; an AVIF may have the same general brand."""
    return data[4:8] == b"ftyp" and data[8:12] in _BRANDS and b"avif" not in data[8:64]


@cache
def register() -> None:
    """Let Pillow read HEIC, where it is INSTALLED; called for the first HEIC alone.

    Its library takes 5 MB of memory, which a worker that never sees one need not have.
    """
    import pillow_heif  # noqa: PLC0415 - an optional extra, and the memory above

    pillow_heif.register_heif_opener(
        thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
    )


def heif_pixels(data: bytes) -> int:
    """Return the pixels of all HEVC pictures and grids of a HEIC together.

    Raises TooExpensiveError for a film or burst, ValueError for what no camera writes.
    """
    outer = boxes(data, 0, len(data))
    if b"moov" in outer:
        raise TooExpensiveError("frames that follow one another: it is a film")
    begin, end = outer[b"meta"]
    within = boxes(data, begin + 4, end)
    iloc, idat, iinf = (
        data[slice(*within.get(name, (0, 0)))] for name in (b"iloc", b"idat", b"iinf")
    )
    kinds, sizes = _kinds(iinf), _sizes(data, *within[b"iprp"])
    total = 0
    for number, item in items(iloc, data, idat):
        kind = kinds.get(number)
        if kind == _PICTURE:
            length_bytes, pixels = sizes[number]
            _require_one_picture(item, length_bytes)
            total += pixels
        elif kind == _GRID:
            total += _grid_pixels(Bits(item))
        elif kind not in _WITHOUT_PIXELS:
            raise ValueError("it holds images of another kind than HEVC")
    return total


def _kinds(iinf: bytes) -> dict[int, bytes]:
    """Return the four letters of each item's kind."""
    kinds = {}
    for name, (begin, end) in each_box(iinf, 8 if iinf[:1] > b"\0" else 6, len(iinf)):
        bits = Bits(iinf[begin:end])
        version = bits.take(8)
        if name != b"infe" or version not in (2, 3):
            raise ValueError("its items have no kind")
        bits.take(24)
        number = bits.take(16 if version == 2 else 32)
        bits.take(16)
        kinds[number] = bits.take(32).to_bytes(4)
    return kinds


def _sizes(data: bytes, begin: int, end: int) -> dict[int, tuple[int, int]]:
    """Return the bytes of a length within each picture, and its most pixels."""
    within = boxes(data, begin, end)
    properties = [
        _configuration(data[slice(*extent)]) if name == b"hvcC" else None
        for name, extent in each_box(data, *within[b"ipco"])
    ]
    sizes: dict[int, tuple[int, int]] = {}
    for number, index in _associations(Bits(data[slice(*within[b"ipma"])])):
        found = properties[index - 1] if 0 < index <= len(properties) else None
        if found is not None:
            if number in sizes:
                raise ValueError("a picture has two configurations")
            sizes[number] = found
    return sizes


def _associations(bits: Bits) -> Iterator[tuple[int, int]]:
    """Yield the number of an item and the index of a property of it, from 1."""
    version = bits.take(8)
    wide = bits.take(24) & 1
    for _ in range(bits.take(32)):
        number = bits.take(32 if version else 16)
        for _ in range(bits.take(8)):
            bits.take(1)
            yield number, bits.take(15 if wide else 7)


def _configuration(hvcc: bytes) -> tuple[int, int]:
    """Return the bytes of a length, and the pixels of the largest picture (ISO/IEC 14496-15)."""
    bits = Bits(hvcc[21:])
    length_bytes = (bits.take(8) & 3) + 1
    most = 0
    for _ in range(bits.take(8)):
        kind = bits.take(8) & 63
        for _ in range(bits.take(16)):
            unit = bits.take(8 * bits.take(16))
            if kind == _SEQUENCE_PARAMETERS:
                content = unit.to_bytes((unit.bit_length() + 7) // 8)
                most = max(most, _picture_pixels(Bits(content.replace(b"\0\0\3", b"\0\0")[1:])))
    return length_bytes, most


def _picture_pixels(bits: Bits) -> int:
    """Return the pixels of a picture by its sequence parameters, after the first byte.

    ITU-T H.265, section 7.3.2.2.
    """
    bits.take(8 + 4)
    if bits.take(3):
        raise ValueError("its pictures have layers of time")
    bits.take(1 + 96)  # profile and level
    _golomb(bits)
    if _golomb(bits) == 3:
        bits.take(1)
    return _golomb(bits) * _golomb(bits)


def _golomb(bits: Bits) -> int:
    """Take a number in Exp-Golomb code; raises ValueError (ITU-T H.265, section 9.2)."""
    zeros = 0
    while not bits.take(1):
        zeros += 1
        if zeros > _LONGEST_GOLOMB:
            raise ValueError("a number is too long")
    return (1 << zeros) - 1 + bits.take(zeros)


def _require_one_picture(item: bytes, length_bytes: int) -> None:
    """Raise unless an item holds the slices of one picture, whose size is not changed in it."""
    pictures = position = 0
    while position + length_bytes + 2 < len(item):
        length = int.from_bytes(item[position : position + length_bytes])
        position += length_bytes
        kind = item[position] >> 1 & 63
        if kind in _PARAMETER_SETS:
            raise ValueError("a picture has parameters of its own")
        pictures += kind < min(_PARAMETER_SETS) and item[position + 2] >> 7
        if pictures > 1:
            raise TooExpensiveError("several pictures in one")
        position += length


def _grid_pixels(bits: Bits) -> int:
    bits.take(8)
    wide = bits.take(8) & 1
    bits.take(16)  # rows and columns
    return bits.take(32 if wide else 16) * bits.take(32 if wide else 16)
