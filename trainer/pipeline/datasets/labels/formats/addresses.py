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
    if file.has(image):
        return image
    address = urlsplit(image) if image.startswith(ADDRESSES) else None
    if address is not None:
        image = parse_qs(address.query).get("d", [unquote(address.path)])[0]
    folder, slash, base = image.rpartition("/")
    unmarked = _UPLOAD_MARK.sub("", base)
    if not file.has(image) and unmarked != base:
        return f"{folder}{slash}{unmarked}" if file.has(unmarked) else image
    return image
