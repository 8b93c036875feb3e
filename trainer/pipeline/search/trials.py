"""The trials of a search: which comes next, how each stands, what is left to spend."""

from shared.api.jobs import Progress, TrialStatus, shown
from trainer.pipeline.search.study import Study
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer
from trainer.schemas.search_request import Search
from trainer.schemas.trial import TrialLog, TrialRecord, score

MOST_STARTS = 2
"""A trial that was begun so often without an epoch is not begun again: its process dies in it."""


class StoppedTrialError(Exception):
    """A trial is not worth going on with."""


class TrialTable:
    """Keeps the trials of a job in its log, tells of them and asks the study.

    Of those that the log holds from attempts before this one, those that ended are not repeated,
    and those that still ran come first. `at_once`: how many trials run at the same time.
    """

    def __init__(
        self,
        request: JobRequest,
        search: Search,
        observer: Observer,
        log: TrialLog,
    ) -> None:
        self._request = request
        self._search = search
        self._observer = observer
        self._log = log
        self.at_once = 1
        earlier = log.trials()
        self._records = {record.number: record for record in earlier}
        self._cut_off = sum(not record.ended for record in earlier)
        self._study = Study(search, request.seed, earlier)

    def begin(self) -> TrialRecord | None:
        """Begin the next trial; None if there is none, or nothing is left to spend."""
        left = self._minutes_left()
        if self._cut_off:
            self._cut_off -= 1
        elif len(self._records) == self._search.trials or (left is not None and left <= 0):
            return None
        asked = self._study.ask()
        if asked is None:
            return None
        number, parameters = asked
        new = TrialRecord(number=number, parameters=parameters, max_minutes=left)
        record = self._records.setdefault(number, new)
        return record if self.begin_again(record) else self.begin()

    def begin_again(self, record: TrialRecord) -> bool:
        """Begin a trial, also one whose process has died; it fails if that happens too often."""
        record.starts += 1
        settings = ", ".join(f"{name} {shown(value)}" for name, value in record.parameters.items())
        self._tell(record, f"Trial {record.number} of up to {self._search.trials}: {settings}.")
        if record.starts > MOST_STARTS:
            self.fail(record, "Its process died twice before an epoch; memory may be too small.")
            return False
        return True

    def request_of(self, record: TrialRecord) -> JobRequest:
        """Return the job's request with a trial's parameters, as if they had been asked for."""
        chosen = dict(record.parameters)
        preset = chosen.pop("preset", self._request.preset)
        hyperparameters = self._request.hyperparameters
        limits = [hyperparameters.max_minutes, record.max_minutes]
        minutes = min((limit for limit in limits if isinstance(limit, float)), default="auto")
        changes = {**chosen, "max_minutes": minutes}
        return self._request.model_copy(
            update={
                "preset": preset,
                "hyperparameters": hyperparameters.model_copy(update=changes),
                "search": None,
            }
        )

    def epoch(self, record: TrialRecord, progress: Progress) -> None:
        """Take in an epoch of a trial; raises StoppedTrialError if it is behind the others."""
        cer = 1.0 if progress.cer is None else progress.cer
        value = score(progress.exact_match, cer, progress.validation_loss)
        if value >= record.best:
            record.exact_match, record.cer = progress.exact_match, progress.cer
            record.loss = progress.validation_loss
        record.scores[progress.epoch - 1 :] = [value]
        record.epochs, record.seconds, record.starts = progress.epoch, progress.seconds, 0
        self._log.trial(record)
        if self.at_once == 1:  # else epochs of several trials would be one curve
            left = progress.seconds_left + self._seconds_of_others(progress)
            self._observer.progress(progress.model_copy(update={"seconds_left": left}))
        if self._study.is_behind(record, progress.epochs):
            raise StoppedTrialError

    def finish(self, record: TrialRecord) -> None:
        """Note that a trial was trained to its end."""
        right = f"{record.exact_match:.1%} of the validation part is read right"
        self._end(record, TrialStatus.FINISHED, f"Trial {record.number} is finished: {right}.")

    def stop(self, record: TrialRecord) -> None:
        """Note that a trial was stopped."""
        told = f"Trial {record.number} is stopped: after {record.epochs} epochs others read more."
        self._end(record, TrialStatus.STOPPED, told)

    def fail(self, record: TrialRecord, why: str) -> None:
        """Note that a trial failed; the search goes on."""
        record.error = why
        self._end(record, TrialStatus.FAILED, f"Trial {record.number} has failed: {why}")

    @property
    def records(self) -> list[TrialRecord]:
        """All trials, in order."""
        return list(self._records.values())

    @property
    def best(self) -> TrialRecord | None:
        """The finished trial that reads the validation part best; of equals the first."""
        finished = (one for one in self.records if one.status is TrialStatus.FINISHED)
        return max(finished, key=lambda record: record.best, default=None)

    def _end(self, record: TrialRecord, status: TrialStatus, message: str) -> None:
        record.status = status
        self._study.tell(record)
        self._tell(record, message)

    def _tell(self, record: TrialRecord, message: str) -> None:
        self._log.trial(record)
        data = record.model_dump(mode="json", include={"number", "parameters", "status"})
        self._observer.event("trial", message, data)

    def _minutes_left(self) -> float | None:
        """Minutes of training that are left, None without a limit."""
        limit = self._search.max_minutes
        spent = sum(record.seconds for record in self.records) / self.at_once
        return None if limit is None else limit - spent / 60

    def _seconds_of_others(self, progress: Progress) -> float:
        """Estimate what the trials after this one take, all as long as those that ended."""
        ended = [one.seconds for one in self.records if one.ended]
        each = sum(ended) / len(ended) if ended else progress.seconds + progress.seconds_left
        seconds = each * (self._search.trials - len(self._records))
        left = self._minutes_left()
        return seconds if left is None else max(0.0, min(seconds, left * 60))
