"""Zips that mean harm, made byte by byte where zipfile would not write them."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def packed(entries: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these entries."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return data.getvalue()


def with_entry(name: str, content: bytes = b"x", mode: int = stat.S_IFREG | 0o644) -> bytes:
    """Return a zip of one entry, with a Unix mode that says what kind of file it is."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(entry, content)
    return data.getvalue()


def patched(data: bytes, at: dict[bytes, int], form: str, value: int, which: int = 0) -> bytes:
    """Overwrite a field of the entry number which, in the headers whose signatures are given.

    at: the field's place in each of the headers.
    """
    changed = bytearray(data)
    for signature, offset in at.items():
        place = -1
        for _ in range(which + 1):
            place = changed.index(signature, place + 1)
        struct.pack_into(form, changed, place + offset, value)
    return bytes(changed)


def flagged(data: bytes, bits: int) -> bytes:
    """Set the general purpose flags of the first entry."""
    return patched(data, {LOCAL: 6, CENTRAL: 8}, "<H", bits)


def method(data: bytes, number: int) -> bytes:
    """Say that the first entry is packed by another method than it is."""
    return patched(data, {LOCAL: 8, CENTRAL: 10}, "<H", number)


def claiming(data: bytes, size: int) -> bytes:
    """Say that the first entry unpacks to this size."""
    return patched(data, {LOCAL: 22, CENTRAL: 24}, "<L", size)


def crowded(entries: int) -> bytes:
    """Return a zip whose directory lists so many entries, all of them the same."""
    local = struct.pack("<4s5H3L2H", LOCAL, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    one = struct.pack("<4s6H3L5H2L", CENTRAL, 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, *[0] * 6)
    directory = (one + b"a") * entries
    return local + directory + _end(len(directory), len(local))


def overlapping(files: int, kernel_bytes: int = 900_000) -> bytes:
    """Return a zip in which every file quotes the next one's header and goes on in its data.

    (Fifield 2019, "A better zip bomb", section 3: the kernel is packed once, and unpacked by
    every file.)
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = compressor.compress(bytes(kernel_bytes)) + compressor.flush()
    content = bytes(kernel_bytes)
    entries: list[tuple[bytes, int, int, int, int]] = []
    for number in reversed(range(files)):
        name = f"{number:04}.png".encode()
        sizes = (zlib.crc32(content), len(data), len(content))
        local = struct.pack("<4s5H3L2H", LOCAL, 20, 0, 8, 0, 0, *sizes, len(name), 0) + name
        entries.insert(0, (name, *sizes, len(local) + 5))
        quote = struct.pack("<BHH", 0, len(local), len(local) ^ 0xFFFF)
        if number:
            data, content = quote + local + data, local + content
    directory, offset = b"", 0
    for name, crc, size, unpacked, step in entries:
        head = struct.pack("<4s6H3L", CENTRAL, 20, 20, 0, 8, 0, 0, crc, size, unpacked)
        directory += head + struct.pack("<5H2L", len(name), 0, 0, 0, 0, 0, offset) + name
        offset += step
    return local + data + directory + _end(len(directory), len(local) + len(data), files)


def _end(size: int, offset: int, entries: int = 0) -> bytes:
    count = min(entries, 0xFFFF)
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, offset, 0)
