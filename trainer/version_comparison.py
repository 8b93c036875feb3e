"""Two versions side by side: what is told of them, and the process that reads with both."""

from pathlib import Path

from pydantic import BaseModel

from trainer.clean_process import in_clean_process


class VersionReading(BaseModel):
    """What one version reads in a picture."""

    text: str
    confidence: float
    right: bool
    seen: bool
    """Whether the version was trained on this picture."""


class ComparedPicture(BaseModel):
    """A picture that one of the versions was tested on, and what both read in it."""

    picture: str
    """Its address on this service."""
    truth: str
    a: VersionReading
    b: VersionReading


class VersionComparison(BaseModel):
    """Two versions on the pictures that either was tested on; those that they differ on first."""

    model: str
    a: int
    b: int
    both_right: int
    only_a_right: int
    only_b_right: int
    neither_right: int
    pictures: list[ComparedPicture]


def compare_in_process(root: Path, model: str, a: int, b: int) -> VersionComparison:
    """Read the held-out pictures of both versions with both, in a process of its own.

    Raises ReadsmithError (bundle_invalid, no_held_out_pictures).
    """
    return in_clean_process(_compare, root, model, a, b)


def _compare(root: Path, model: str, a: int, b: int) -> VersionComparison:
    from trainer.compare_versions import compare_versions  # noqa: PLC0415 - loads ONNX Runtime

    return compare_versions(root, model, a, b)
