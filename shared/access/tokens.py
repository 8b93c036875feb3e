"""What an API key looks like, and what it may be for."""

import re
from enum import StrEnum

TOKEN = re.compile(r"rs_([0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
"""What a key can be called."""


class Scope(StrEnum):
    """What a key may do; admin may do everything."""

    TRAIN = "train"
    PREDICT = "predict"
    LABEL = "label"
    ADMIN = "admin"
