"""Reads from a JPEG's and an AVIF's bytes what decoding will take, which Pillow does not tell.

A JPEG of several scans is decoded whole before its first pixel, at whatever scale. An AVIF has
two sizes: that of its container, which Pillow shows, and that of its AV1 frames, which are decoded
first and then scaled: one of 2 kB that says 64x16 took 220 MB.
"""

from collections.abc import Iterator

_SCAN = 0xDA
_FRAMES = {0xC0, 0xC1, 0xC2}
"""Baseline, extended and progressive, which can be decoded at a fraction of their size."""
_OTHER_FRAMES = set(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = {0x01, *range(0xD0, 0xD9)}

_SEQUENCE_HEADER = 1
_FRAME_OBUS = {3, 6, 7}
MAX_FRAMES = 4
"""Of one AVIF item: layers of a better and better image."""


class TooExpensiveError(Exception):
    """An image that is far more expensive to decode than its size; the message names the cause."""


def jpeg_coefficients(data: bytes) -> int | None:
    """Return the bytes of coefficients that a JPEG is decoded to before its first pixel.

    0: it has a single scan, and is decoded row by row. None: it is damaged, or of a kind that
    cannot be scaled.
    """
    components, coefficients, progressive = 0, 0, False
    for marker, content in _segments(data):
        if marker in _OTHER_FRAMES or (marker in _FRAMES and len(content) < 6):
            return None
        if marker in _FRAMES:
            height, width = int.from_bytes(content[1:3]), int.from_bytes(content[3:5])
            factors = [(each >> 4, each & 15) for each in content[7::3]]
            samples = sum(across * down for across, down in factors)
            whole = max((x for x, _ in factors), default=1) * max(
                (y for _, y in factors), default=1
            )
            coefficients = 2 * width * height * samples // max(1, whole)
            components, progressive = content[5], marker == 0xC2
        if marker == _SCAN:
            one_scan = not progressive and content[:1] == bytes([components])
            return None if components == 0 else 0 if one_scan else coefficients
    return None


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the segments of a JPEG up to its first scan: marker and content."""
    position = 2
    while 0 <= (position := data.find(b"\xff", position)) < len(data) - 3:
        marker = data[position + 1]
        if marker in (0x00, 0xFF):
            position += 1
        elif marker in _STANDALONE:
            position += 2
        else:
            length = int.from_bytes(data[position + 2 : position + 4])
            yield marker, data[position + 4 : position + 2 + length]
            position += 2 + length


def avif_pixels(data: bytes) -> int:
    """Return the pixels of all AV1 frames of an AVIF together: colour, transparency, tiles.

    Raises TooExpensiveError for an animation, ValueError for what no encoder of still images
    writes.
    """
    outer = boxes(data, 0, len(data))
    if b"moov" in outer:
        raise TooExpensiveError("frames that follow one another: it is an animation")
    begin, end = outer[b"meta"]
    within = boxes(data, begin + 4, end)
    iloc, idat = (data[slice(*within.get(name, (0, 0)))] for name in (b"iloc", b"idat"))
    return sum(_coded_pixels(item) for _, item in items(iloc, data, idat))


def boxes(data: bytes, begin: int, end: int) -> dict[bytes, tuple[int, int]]:
    """Return the extent of each box (ISO/IEC 14496-12) by its name; raises ValueError."""
    found: dict[bytes, tuple[int, int]] = {}
    for name, extent in each_box(data, begin, end):
        if name in found and name in (b"meta", b"iloc", b"idat", b"iinf", b"iprp"):
            raise ValueError(f"it has several boxes {name.decode()}")
        found[name] = extent
    return found


def each_box(data: bytes, begin: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield the name and the extent of each box; raises ValueError."""
    while begin + 8 <= end:
        size, name, head = int.from_bytes(data[begin : begin + 4]), data[begin + 4 : begin + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[begin + 8 : begin + 16]), 16
        stop = end if size == 0 else begin + size
        if not begin + head <= stop <= end:
            raise ValueError("a box is larger than what holds it")
        yield name, (begin + head, stop)
        begin = stop


def items(iloc: bytes, data: bytes, idat: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each item that an iloc box places in the file or an idat box."""
    bits = Bits(iloc)
    version = bits.take(8)
    bits.take(24)
    offset_bits, length_bits, base_bits, index_bits = (8 * bits.take(4) for _ in range(4))
    id_bits = 32 if version == 2 else 16
    total = 0
    for _ in range(bits.take(id_bits)):
        number = bits.take(id_bits)
        method = bits.take(16) & 15 if version else 0
        if method > 1:
            raise ValueError("an item is made of other items")
        bits.take(16)
        base, source, parts = bits.take(base_bits), (data, idat)[method], []
        for _ in range(bits.take(16)):
            bits.take(index_bits if version else 0)
            start, length = base + bits.take(offset_bits), bits.take(length_bits)
            parts.append(source[start : start + length] if length else source[start:])
            total += len(parts[-1])
            if total > 2 * len(data):
                raise ValueError("its items overlap")
        yield number, b"".join(parts)


def _coded_pixels(item: bytes) -> int:
    """Return the pixels that the AV1 frames of an item may have; 0 if it holds none.

    AV1 Bitstream & Decoding Process Specification, sections 5.3 and 5.5.
    """
    most = frames = position = 0
    while position < len(item):
        header = item[position]
        kind, extended, sized = header >> 3 & 15, header >> 2 & 1, header >> 1 & 1
        position += 1 + extended
        size, position = _leb128(item, position) if sized else (len(item) - position, position)
        if kind == _SEQUENCE_HEADER:
            most = max(most, _most_pixels(Bits(item[position : position + size])))
        frames += kind in _FRAME_OBUS
        if most and frames > MAX_FRAMES:
            raise TooExpensiveError(f"more than {MAX_FRAMES} frames")
        position += size
    return most


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + 8]):
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, position + index + 1
    return len(data), len(data)


def _most_pixels(bits: "Bits") -> int:
    """Return the most pixels of a frame by its sequence header."""
    bits.take(4)  # profile, still_picture
    reduced = bits.take(1)
    if reduced:
        bits.take(5)
    else:
        if bits.take(1):
            raise ValueError("it is a film, with times")
        delayed = bits.take(1)
        for _ in range(bits.take(5) + 1):
            bits.take(12)
            bits.take(1 if bits.take(5) > 7 else 0)
            bits.take(4 if delayed and bits.take(1) else 0)
    across, down = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(across) + 1, bits.take(down) + 1
    # Frames may have sizes of their own, of so many bits, unless the header is a reduced one.
    return width * height if reduced else 1 << (across + down)


class Bits:
    """Takes numbers from bytes, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position = data, 0

    def take(self, count: int) -> int:
        """Return the number of the next bits; 0 for none. Raises ValueError at the end."""
        begin, self._position = self._position, self._position + count
        if self._position > 8 * len(self._data):
            raise ValueError("it ends too early")
        first, last = begin // 8, (self._position + 7) // 8
        value = int.from_bytes(self._data[first:last]) >> (8 * last - self._position)
        return value & ((1 << count) - 1)
