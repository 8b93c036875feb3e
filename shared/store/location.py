"""Where something is stored: in a folder, or below a prefix of a bucket."""

import re

SCHEME = "s3://"
ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9._-]+)*)/?")


def is_object_storage(place: str) -> bool:
    """Tell the address of a bucket from a folder."""
    return place.startswith(SCHEME)


def require_place(place: str) -> str:
    """Return a folder or `s3://bucket/prefix` as it is; raises ValueError saying what is wrong."""
    if ("://" in place or place.startswith("s3:")) and not ADDRESS.fullmatch(place):
        raise ValueError(f"should be a folder or s3://bucket/prefix, not {place[:100]!r}")
    return place


def parse_address(address: str) -> tuple[str, str]:
    """Return bucket and prefix; raises ValueError."""
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise ValueError(f"should be s3://bucket/prefix, not {address[:100]!r}")
    return match[1], match[2].strip("/")
