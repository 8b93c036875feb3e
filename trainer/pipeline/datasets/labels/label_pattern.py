"""Cuts labels out of file names by a regular expression."""

import time
from pathlib import PurePosixPath

from shared.errors import DatasetError
from shared.texts import shown
from trainer.schemas.labels import compile_pattern

MATCH_SECONDS = 30.0
"""For all file names of a set together; a sound pattern takes microseconds per name."""


class LabelPattern:
    """Extracts labels from file names by a regular expression, within MATCH_SECONDS in all."""

    def __init__(self, pattern: str) -> None:
        self._pattern = compile_pattern(pattern)
        groups = self._pattern.groupindex
        self._group: str | int = "text" if "text" in groups else min(self._pattern.groups, 1)
        self._seconds_left = MATCH_SECONDS

    def __call__(self, name: str) -> str | None:
        """Return the label, None if the name does not match; raises ReadsmithError."""
        stem, began = PurePosixPath(name).stem, time.monotonic()
        try:
            # A user's pattern, such as (a|aa)+$, may backtrack for hours. Python's re cannot be
            # interrupted; the package regex has timeouts.
            match = self._pattern.search(stem, timeout=max(self._seconds_left, 0.001))
        except (TimeoutError, MemoryError) as error:
            much = "memory than there is" if isinstance(error, MemoryError) else None
            raise DatasetError(
                "pattern_too_slow",
                f"The regular expression took more {much or f'than {MATCH_SECONDS:g} s'}, up to "
                f"the file name {shown(stem)}.",
                "Repeats that match the same text in many ways are slow, as (a|aa)+; use a+.",
            ) from None
        self._seconds_left -= time.monotonic() - began
        return match.group(self._group) if match else None
