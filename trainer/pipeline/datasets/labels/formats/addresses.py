"""Tells which file an address of an image means, as Label Studio exports them."""

import re
from urllib.parse import parse_qs, unquote, urlsplit

from trainer.pipeline.datasets.labels.formats.label_list import ListFile

ADDRESSES = ("/data/", "http:", "https:")
_UPLOAD_MARK = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""Label Studio puts it before the name of every file that is uploaded."""


def file_named(file: ListFile, image: object) -> str:
    """Return the name of the image's file: Label Studio gives addresses, others the path."""
    if isinstance(image, dict):  # Hugging Face's {"path": …}
        image = image.get("path")
    if not isinstance(image, str):
        return ""
    # An address first as it is decoded: a file may be named as another one's address.
    path = _path_in(image) if image.startswith(ADDRESSES) else image
    folder, slash, base = path.rpartition("/")
    unmarked = f"{folder}{slash}{_UPLOAD_MARK.sub('', base)}"
    return next((name for name in (path, image, unmarked) if file.has(name)), path)


def _path_in(address: str) -> str:
    try:
        parts = urlsplit(address)
        return parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    except ValueError:  # as http://[, or too many parts
        return address
