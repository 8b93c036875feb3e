"""How an image becomes a model's input."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ImageSpec(BaseModel):
    """How an image becomes a model's input; part of the manifest."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    height: int = Field(ge=8, le=2048)
    width: int = Field(ge=8, le=8192)
    channels: Literal[1, 3]
    resize: Literal["stretch", "pad"]
    """pad: keep the aspect ratio, fill the right and the bottom with the image's mean."""
    standardize: bool
    """True: zero mean and unit variance per image. False: values in [0, 1]; a set of licence plates
    then gave nothing but blanks, even after 40 epochs."""
    layout: Literal["HWC", "WHC"] = "HWC"
    """WHC: transposed, as models of the Keras captcha tutorial take it."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one input, channels last."""
        if self.layout == "WHC":
            return self.width, self.height, self.channels
        return self.height, self.width, self.channels
