"""What a manifest says of a detector."""

from pydantic import BaseModel, ConfigDict, Field


class DetectorSpec(BaseModel):
    """How the detector sees an image; part of the manifest."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    side: int = Field(ge=64, le=512)
    """Pixels; it takes square views, RGB, each with zero mean and unit variance."""
    cells: int = Field(ge=8, le=128)
    """Of the map of each corner, on each of its sides."""
    least_score: float = Field(ge=0, le=1)
    """Below it, nothing has been found."""
