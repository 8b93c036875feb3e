"""Tars that mean harm, and good ones to compare them with."""

import io
import tarfile
from collections.abc import Mapping


def tar_of(files: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar of these files, with times as WebDataset's writer gives them."""
    data = io.BytesIO()
    with tarfile.TarFile(fileobj=data, mode="w", format=form) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mtime = 1_700_000_000.25 if form == tarfile.PAX_FORMAT else 0
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def labelled_tar(images: Mapping[str, bytes]) -> bytes:
    """Return a tar of PNGs by their labels, each with its text file."""
    files: dict[str, bytes] = {}
    for label, data in images.items():
        files |= {f"{label}.png": data, f"{label}.txt": label.encode()}
    return tar_of(files)


def of_type(kind: bytes, linkname: str = "") -> bytes:
    """Return a tar whose only member, a.png, is no regular file."""
    member = tarfile.TarInfo("a.png")
    member.type, member.linkname = kind, linkname
    data = io.BytesIO()
    with tarfile.TarFile(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(member)
    return data.getvalue()


def header(name: str, size: int, kind: bytes) -> bytes:
    """Return one header, of any size up to that of GNU's base 256."""
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def pax(records: Mapping[str, str]) -> bytes:
    """Return a tar whose only member, a.png, has these pax records."""
    member = tarfile.TarInfo("a.png")
    member.pax_headers = dict(records)
    data = io.BytesIO()
    with tarfile.TarFile(fileobj=data, mode="w") as tar:
        tar.addfile(member)
    return data.getvalue()


def _with_checksum(head: bytes) -> bytes:
    total = sum(head[:148]) + 8 * 32 + sum(head[156:512])
    return head[:148] + b"%06o\0 " % total + head[156:]


def negative_size() -> bytes:
    """Return a tar whose member ends before it begins, which leads a reader back to it."""
    head = bytearray(header("a.png", 0, b"0"))
    head[124:136] = b"\xff" * 10 + b"\xfc\x00"  # -1024 in base 256
    return _with_checksum(bytes(head)) + bytes(2048)


TARS: dict[str, tuple[bytes, str, str]] = {
    "parent folder": (tar_of({"x/../../a.png": b""}), "dataset_unsafe", "a.png leads out"),
    "absolute": (tar_of({"/etc/a.png": b""}), "dataset_unsafe", "/etc/a.png"),
    "drive": (tar_of({"C:/a.png": b""}), "dataset_unsafe", "C:/a.png has an absolute"),
    "long name": (tar_of({"a" * 60_000: b""}), "dataset_unsafe", "name of 60,000 characters"),
    "link": (of_type(tarfile.SYMTYPE, "/etc/passwd"), "dataset_unsafe", "a.png is a link"),
    "hard link": (of_type(tarfile.LNKTYPE, "b.png"), "dataset_unsafe", "a.png is a link"),
    "character device": (of_type(tarfile.CHRTYPE), "dataset_unsafe", "a.png is a device"),
    "block device": (of_type(tarfile.BLKTYPE), "dataset_unsafe", "a.png is a device"),
    "pipe": (of_type(tarfile.FIFOTYPE), "dataset_unsafe", "a.png is a device"),
    "sparse by pax": (
        pax({"GNU.sparse.size": "99999999", "GNU.sparse.map": "0,1,9,1"}),
        "dataset_unsafe",
        "a.png is sparse",
    ),
    "sparse by GNU": (
        header("a.png", 0, tarfile.GNUTYPE_SPARSE) + bytes(1024),
        "dataset_unsafe",
        "a.png is sparse",
    ),
    "size by pax": (pax({"size": "-512"}), "dataset_unsafe", "a.png has a negative size"),
    "negative size": (negative_size(), "dataset_unsafe", "set.tar"),
    "name twice": (
        tar_of({"a.png": b"1"}, tarfile.USTAR_FORMAT)[:1024] + tar_of({"a.png": b"2"}),
        "dataset_unsafe",
        "a.png is in its shard twice",
    ),
    "headers without end": (
        header("x", 0, b"x") * 5000,
        "dataset_not_a_tar",
        "set.tar cannot be read",
    ),
    "escape sequence": (
        tar_of({"\x1b[2J/../a.png": b""}),
        "dataset_unsafe",
        "entry set.tar/\\u001b[2J/../a.png leads",
    ),
}
