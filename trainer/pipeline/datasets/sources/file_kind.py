"""Tells what a file is that was given as a dataset, by how it begins."""

from pathlib import Path

from shared.errors import DatasetError

HEAD_BYTES = 1024

_PACK = "Pack the images, and labels.csv if there is one, into a zip."
_UNPACK = "Unpack it, and pack the folder as a zip."
GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
_KINDS: tuple[tuple[tuple[bytes, ...], str, str], ...] = (
    (
        (b"pk\x03\x04", b"pk\x01\x02"),
        "is a zip that was cut short or is damaged",
        "Download or pack it again, and compare its size.",
    ),
    (
        (b"<!doctype html", b"<html", b"<head", b"<?xml"),
        "is a web page, not a file of images",
        "A share link opens a page: take the link of the download itself. Google Drive: "
        "https://drive.google.com/uc?export=download&id=ID; Dropbox: dl=1 at the end; a folder in "
        "a cloud: download it as a zip first.",
    ),
    ((b"rar!",), "is a RAR archive, which is not read", _UNPACK),
    ((b"7z\xbc\xaf\x27\x1c",), "is a 7z archive, which is not read", _UNPACK),
    ((b"\x28\xb5\x2f\xfd",), "is compressed with Zstandard, which is not read", _UNPACK),
    (
        (GZIP,),
        "is a gzip file without a whole tar in it",
        "Give a tar.gz of the folder, or a zip.",
    ),
    ((BZIP2.lower(),), "is a bzip2 file without a whole tar in it", _PACK),
    ((XZ.lower(),), "is an xz file without a whole tar in it", _PACK),
    ((b"%pdf",), "is a PDF", "Give the images of the lines themselves."),
    (
        (b"\x89png", b"\xff\xd8\xff", b"gif8", b"riff", b"ii*\0", b"mm\0*"),
        "is a single image",
        f"A dataset has at least ten. {_PACK}",
    ),
    (
        (b"par1",),
        "is a parquet table, which is not taken as an upload",
        "Make a zip of it: readsmith datasets convert TABLE.parquet set.zip --to readsmith.",
    ),
)
"""How files begin, in lower case; what they are; what to do."""


def why_no_zip(path: Path) -> DatasetError | None:
    """Return the error for a file that is something else than a zip, None if it is not known."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        return _error("is empty: it has 0 bytes", "Download or pack it again.")
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for marks, what, remedy in _KINDS:
        if begin.startswith(marks):
            return _error(what, remedy)
    return None


def _error(what: str, remedy: str) -> DatasetError:
    return DatasetError("dataset_not_a_zip", f"The dataset is not a zip: it {what}.", remedy)
