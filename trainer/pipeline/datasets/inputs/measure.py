"""Measures a set's images, and chooses the image spec: of whole images, or of joined rows."""

from collections.abc import Sequence

from shared.recognition.image_spec import ImageSpec, Rows
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.inputs.appearance import measure_appearance, measure_lines
from trainer.pipeline.datasets.inputs.image_spec import HEIGHTS, choose_image_spec
from trainer.pipeline.datasets.inputs.text_window import find_text_window
from trainer.pipeline.datasets.inputs.two_rows import count_rows, lines_of
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.schemas.job_request import JobRequest


def measure_image_spec(
    source: ImageSource,
    images: Sequence[LabelledImage],
    request: JobRequest,
    broken: frozenset[str] = frozenset(),
) -> tuple[ImageSpec, dict[str, str]]:
    """Return the spec for a set's images and a reason for each of its choices.

    images: all usable ones with a text. broken: names of those whose label has a line break.
    """
    wanted = request.hyperparameters
    whole = request.preset == "crnn" or wanted.region != "auto"
    window = None if whole else find_text_window(source, images)
    appearance = measure_appearance(
        source, images, HEIGHTS, None if window is None else window.region
    )
    spec, reasons = choose_image_spec(images, appearance, request, window)
    rows, why = _rows(source, images, request, spec, broken)
    reasons["rows"] = f"{rows}: {why}"
    if rows == 1:
        return spec, reasons
    spec = spec.model_copy(update={"rows": 2})
    # Height, width and their kin are those of lines, which are cut out of the same region.
    of_lines = request.model_copy(
        update={"hyperparameters": wanted.model_copy(update={"region": "whole"})}
    )
    appearance = measure_lines(source, images, HEIGHTS, spec)
    line, further = choose_image_spec(lines_of(source, images, spec), appearance, of_lines)
    same = {"region": spec.region, "rows": 2}
    return line.model_copy(update=same), further | {name: reasons[name] for name in same}


def _rows(
    source: ImageSource,
    images: Sequence[LabelledImage],
    request: JobRequest,
    spec: ImageSpec,
    broken: frozenset[str],
) -> tuple[Rows, str]:
    if request.hyperparameters.rows != "auto":
        return request.hyperparameters.rows, "as requested"
    if request.preset == "crnn":  # it stays what the tutorial made it
        return 1, "preset crnn takes whole images"
    return count_rows(source, images, spec, broken)
