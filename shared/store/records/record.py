"""What is known of one model besides its versions' files: the object model.json.

All that changes of a model is in one object, so a change is made at once or not at all, and two
that are made at the same time cannot lose each other: an object is replaced on condition that
nobody else has replaced it. A version exists once it is listed there, which happens after its
manifest was written.
"""

from collections.abc import Collection
from datetime import datetime
from itertools import groupby

from pydantic import Field

from shared.patterns.allowed import AllowedTexts
from shared.patterns.check_digits import CheckDigit
from shared.store.manifest import Frozen

MOST_CHANGES = 64
MOST_STEPS = 100
"""Steps back beyond these are forgotten."""


class ModelSettings(Frozen):
    """What a user has chosen for a model, whatever its version."""

    pattern: str | None = None
    """What its predictions must fit unless a request says otherwise."""
    allowed: AllowedTexts | None = Field(None, strict=False)
    """The texts that a prediction may be unless a request says otherwise."""
    check_digit: CheckDigit | None = None
    """The rule that a prediction must fit unless a request says otherwise."""
    allowed_threshold: float | None = Field(None, ge=0, le=1)
    """The confidence below which an image is taken to show none of them; None: the default."""


class Listed(Frozen):
    """A published version."""

    manifest_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    job_id: str


class Unfinished(Frozen):
    """A number that has been given to a publication that has not ended."""

    job_id: str
    publication: str
    """Which of the job's attempts, by a random name."""
    since: datetime = Field(strict=False)


class Deleted(Frozen):
    """A version that a user has deleted; its files are kept until it is forgotten."""

    version: Listed
    at: datetime = Field(strict=False)
    served: bool
    """Whether it was the served one."""


class ModelRecord(Frozen):
    """One state of a model; every change makes a new one."""

    format: int = Field(1, ge=1, le=1)
    current: int | None = None
    """The served version."""
    before: tuple[int, ...] = Field((), strict=False)
    """What was current before it, oldest first."""
    given: int = 0
    """The highest number ever given to a publication; none is given twice."""
    versions: dict[int, Listed] = Field(default_factory=dict)
    deleted: dict[int, Deleted] = Field(default_factory=dict)
    unfinished: dict[int, Unfinished] = Field(default_factory=dict)
    settings: ModelSettings = ModelSettings()
    changes: tuple[str, ...] = Field((), strict=False)
    """The last changes by their own random names, so that the process that made one can tell that
    it was made though the answer was lost."""

    @property
    def numbers(self) -> list[int]:
        """The published versions, ascending."""
        return sorted(self.versions)

    @property
    def previous(self) -> int | None:
        """The version that a step back would serve."""
        return next(reversed(self.before), None)

    def of_job(self, job_id: str) -> int | None:
        """Return the version that a job has published, None if it has not."""
        found = (number for number, version in self.versions.items() if version.job_id == job_id)
        return next(found, None)

    def number_of(self, publication: str) -> int | None:
        """Return the number given to a publication, None if it has none any more."""
        found = (n for n, one in self.unfinished.items() if one.publication == publication)
        return next(found, None)

    def begun(self, new: Unfinished) -> "ModelRecord":
        """Give it the next number; earlier attempts of its job may then publish no more."""
        others = {n: one for n, one in self.unfinished.items() if one.job_id != new.job_id}
        number = self.given + 1
        return self.model_copy(update={"given": number, "unfinished": others | {number: new}})

    def without_unfinished(self, numbers: Collection[int]) -> "ModelRecord":
        """Take back numbers that were given; their publications may not end any more."""
        left = {n: one for n, one in self.unfinished.items() if n not in numbers}
        return self.model_copy(update={"unfinished": left})

    def published(self, number: int, version: Listed) -> "ModelRecord":
        """List a version whose number was given and not taken back."""
        ended = self.without_unfinished({number})
        return ended.model_copy(update={"versions": self.versions | {number: version}})

    def serving(self, version: int) -> "ModelRecord":
        """Serve another version."""
        if version == self.current:
            return self
        before = self.before if self.current is None else (*self.before, self.current)
        return self.model_copy(update={"current": version, "before": before[-MOST_STEPS:]})

    def stepped_back(self) -> "ModelRecord":
        """Serve the version before; there must be one."""
        *before, version = self.before
        return self.model_copy(update={"current": version, "before": tuple(before)})

    def retaining(self, count: int) -> "ModelRecord":
        """Leave out all versions but the last so many, the served one and the one before it."""
        return self.having({*self.numbers[-count:], self.current, self.previous})

    def having(self, numbers: Collection[int | None]) -> "ModelRecord":
        """Leave out all versions but these, and the steps back to the others."""
        versions = {n: version for n, version in self.versions.items() if n in numbers}
        steps = tuple(version for version, _ in groupby(v for v in self.before if v in versions))
        before = steps[:-1] if steps and steps[-1] == self.current else steps
        return self.model_copy(update={"versions": versions, "before": before})

    def without(self, numbers: Collection[int], now: datetime) -> "ModelRecord":
        """Delete versions; in place of the served one the one before it is served, if any is."""
        gone = {
            n: Deleted(version=version, at=now, served=n == self.current)
            for n, version in self.versions.items()
            if n in numbers
        }
        left = self.having(self.versions.keys() - gone.keys())
        if self.current in gone:
            left = left.stepped_back() if left.before else left.model_copy(update={"current": None})
        return left.model_copy(update={"deleted": self.deleted | gone})

    def restored(self, numbers: Collection[int]) -> "ModelRecord":
        """List deleted versions again; where nothing is served, the one that was."""
        back = {n: one for n, one in self.deleted.items() if n in numbers}
        versions = self.versions | {n: one.version for n, one in back.items()}
        served = next((n for n, one in back.items() if one.served), None)
        return self.model_copy(
            update={
                "versions": versions,
                "deleted": {n: one for n, one in self.deleted.items() if n not in back},
                "current": served if self.current is None else self.current,
            }
        )

    def forgetting(self, before: datetime) -> "ModelRecord":
        """Leave out what was deleted before then."""
        left = {n: one for n, one in self.deleted.items() if one.at >= before}
        return self.model_copy(update={"deleted": left})
