"""The parts of the training benchmark: the measurements of each, in order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drawn_sets import DRAWN, large, write_shards, write_zip
from benchmarks.measurement import Measurement, Side

SIDES: tuple[Side, ...] = ("reference", "ours")
FROM: tuple[Side, ...] = ("fresh", "ours")
LABEL_COUNTS = (10, 25, 50, 100, 200)
STARTER_COUNTS = (25, 50, 100, 200, None)
"""Labels with and without the starter; None for all labels."""
REAL_SETS = (
    "captcha_images_v2",
    "plates",
    "captcha_colour",
    "receipts",
    "typewriter",
    "kannada_words",
    "old_print",
)
DRAWN_IMAGES = 3000
PLATES_MINUTES = 6.0
FEW, MANY = 1000, 100_000
"""Images of two sets, whose memory and time per image are compared."""
STREAMED = 300_000
"""Images of a set that is too large for memory."""
IMAGES_PER_SHARD = 10_000
QUICK_IMAGES, QUICK_EPOCHS = 60, 2


class MissingDataError(Exception):
    """A part's images are not on this machine; the message says which."""


@dataclass(frozen=True)
class Setting:
    """A benchmark's data, and how much of it to run."""

    data: Path | None
    """Folder of the real sets."""
    scratch: Path
    """Folder for drawn sets."""
    seeds: int | None
    """Runs of each kind; None for the part's own number."""
    quick: bool
    """Only tests that everything works: tiny sets, two epochs, one seed."""
    baseline: bool = False
    """Whether an earlier checkout is measured, too."""

    def real(self, name: str) -> Path:
        """Return a real set's zip; raises MissingDataError."""
        if self.data is None:
            raise MissingDataError("READSMITH_TEST_DATA, the folder of the real sets, is not set")
        if not (self.data / name).is_file():
            raise MissingDataError(f"there is no {self.data / name}")
        return self.data / name

    def repeats(self, usual: int) -> range:
        """Return the seeds to run with."""
        return range(self.seeds or (1 if self.quick else usual))

    @property
    def epochs(self) -> int | None:
        """Epochs of each run; None for the recipe's."""
        return QUICK_EPOCHS if self.quick else None


def v2(setting: Setting) -> Iterator[Measurement]:
    """Captcha Images V2, whole: time until 99 %, and exact match."""
    path = setting.real("captcha_images_v2.zip")
    for seed in setting.repeats(5):
        for side in SIDES:
            yield Measurement(side=side, set="V2", dataset=path, seed=seed, epochs=setting.epochs)


def labels(setting: Setting) -> Iterator[Measurement]:
    """Captcha Images V2 with few labels, for training and validation together."""
    return _limited(setting, LABEL_COUNTS, setting.repeats(3), SIDES)


def starter(setting: Setting) -> Iterator[Measurement]:
    """Captcha Images V2 from random weights and from the starter's: how long does it help?"""
    return _limited(setting, STARTER_COUNTS, setting.repeats(1), FROM)


def _limited(
    setting: Setting, counts: Sequence[int | None], seeds: range, sides: Sequence[Side]
) -> Iterator[Measurement]:
    path = setting.real("captcha_images_v2.zip")
    for count in counts[:1] if setting.quick else counts:
        for seed in seeds:
            for side in sides:
                yield Measurement(
                    side=side,
                    set="V2",
                    dataset=path,
                    seed=seed,
                    epochs=setting.epochs,
                    limit_images=count,
                )


def plates(setting: Setting) -> Iterator[Measurement]:
    """Licence plates, with a time limit."""
    path = setting.real("plates.zip")
    for seed in setting.repeats(3):
        for side in SIDES:
            yield Measurement(
                side=side,
                set="plates",
                dataset=path,
                seed=seed,
                epochs=setting.epochs,
                max_minutes=PLATES_MINUTES,
            )


def drawn(setting: Setting) -> Iterator[Measurement]:
    """Drawn sets of other kinds, without options."""
    images = QUICK_IMAGES if setting.quick else DRAWN_IMAGES
    for seed in setting.repeats(1):
        for number, (name, draw) in enumerate(DRAWN.items()):
            path = setting.scratch / f"drawn-{number}-{seed}.zip"
            write_zip(path, draw(images, seed))
            yield Measurement(side="ours", set=name, dataset=path, seed=seed, epochs=setting.epochs)


def scale(setting: Setting) -> Iterator[Measurement]:
    """Many images against few, equally many trained on: 100,000 once, 1,000 a hundred times."""
    few, many = (50, 100) if setting.quick else (FEW, MANY)
    for seed in setting.repeats(1):
        for images in (few, many):
            path = setting.scratch / f"large-{images}-{seed}.zip"
            write_zip(path, large(images, seed))
            yield Measurement(
                side="ours",
                set=f"{images:,} images",
                dataset=path,
                seed=seed,
                epochs=many // images,
            )


def streamed(setting: Setting) -> Iterator[Measurement]:
    """Shards whose images are decoded in every epoch, against shards held in memory."""
    held, more = (50, 100) if setting.quick else (MANY, STREAMED)
    for seed in setting.repeats(1):
        for images in (held, more):
            path = setting.scratch / f"shards-{images}-{seed}"
            write_shards(path, large(images, seed), IMAGES_PER_SHARD)
            yield Measurement(
                side="ours", set=f"{images:,} images", dataset=path, seed=seed, epochs=1
            )


def sets(setting: Setting) -> Iterator[Measurement]:
    """Every real set without options, seed by seed; an earlier checkout in turn."""
    sides: tuple[Side, ...] = ("earlier", "ours") if setting.baseline else ("ours",)
    for seed in setting.repeats(3):
        for name in REAL_SETS[:1] if setting.quick else REAL_SETS:
            path = setting.real(f"{name}.zip")
            for side in sides:
                yield Measurement(
                    side=side, set=name, dataset=path, seed=seed, epochs=setting.epochs
                )


PARTS: dict[str, Callable[[Setting], Iterator[Measurement]]] = {
    "v2": v2,
    "labels": labels,
    "starter": starter,
    "plates": plates,
    "sets": sets,
    "drawn": drawn,
    "scale": scale,
    "streamed": streamed,
}
