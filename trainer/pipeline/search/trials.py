"""The trials of a search: which comes next, the state of each, and the remaining budget."""

from shared.api.jobs import Progress, TrialStatus, value_text
from trainer.pipeline.search.study import Study
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer
from trainer.schemas.search_request import Search
from trainer.schemas.trial import TrialLog, TrialRecord, score

MAX_STARTS = 2
"""A trial that was started this often without completing an epoch fails: it kills its process."""


class StoppedTrialError(Exception):
    """A trial is pruned."""


class TrialTable:
    """Stores the trials of a job in its log, reports them, and asks the study for new ones.

    Of the trials of earlier attempts in the log, ended ones are not repeated, and interrupted ones
    come first. `at_once`: how many trials run at the same time.
    """

    def __init__(
        self,
        request: JobRequest,
        search: Search,
        observer: Observer,
        log: TrialLog,
    ) -> None:
        self.request = request
        self.search = search
        self._observer = observer
        self._log = log
        self.at_once = 1
        earlier = log.trials()
        self._records = {record.number: record for record in earlier}
        self._interrupted = sum(not record.ended for record in earlier)
        self._study = Study(search, request.seed, earlier)

    def begin(self) -> TrialRecord | None:
        """Start the next trial; None if there is none, the budget is spent, or the job should end.

        A job that should finish before its first trial trains that one, briefly.
        """
        left = self._minutes_left()
        if self._interrupted:
            self._interrupted -= 1
        elif self._is_over(left):
            return None
        following = self._study.ask()
        if following is None:
            return None
        number, parameters = following
        # The minutes are stored: a resumed trial must make the same request to find its checkpoint.
        new = TrialRecord(number=number, parameters=parameters, max_minutes=left)
        record = self._records.setdefault(number, new)
        return record if self.restart(record) else self.begin()

    def restart(self, record: TrialRecord) -> bool:
        """Start a trial, also after its process died; False if that happened too often."""
        record.starts += 1
        settings = ", ".join(f"{name} {value_text(one)}" for name, one in record.parameters.items())
        self._report(record, f"Trial {record.number} of up to {self.search.trials}: {settings}.")
        if record.starts > MAX_STARTS:
            self.fail(
                record, "Its process died twice before the first epoch; it may need more memory."
            )
            return False
        return True

    def request_of(self, record: TrialRecord) -> JobRequest:
        """Return the job's request with a trial's parameters as if the user had requested them."""
        chosen = dict(record.parameters)
        preset = chosen.pop("preset", self.request.preset)
        hyperparameters = self.request.hyperparameters
        limits = [hyperparameters.max_minutes, record.max_minutes]
        minutes = min((limit for limit in limits if isinstance(limit, float)), default="auto")
        changes = {**chosen, "max_minutes": minutes}
        return self.request.model_copy(
            update={
                "preset": preset,
                "hyperparameters": hyperparameters.model_copy(update=changes),
                "search": None,
            }
        )

    def epoch(self, record: TrialRecord, progress: Progress) -> None:
        """Record an epoch of a trial; raises StoppedTrialError if it falls behind the others."""
        cer = 1.0 if progress.cer is None else progress.cer
        value = score(progress.exact_match, cer, progress.validation_loss)
        if value >= record.best:
            record.exact_match, record.cer = progress.exact_match, progress.cer
            record.loss = progress.validation_loss
        # A resumed trial repeats the epochs after its last checkpoint. Epochs without a validation
        # of their own count as the next that has one, so that trials are compared by epochs.
        del record.scores[progress.epoch - 1 :]
        record.scores += [value] * (progress.epoch - len(record.scores))
        record.epochs, record.seconds, record.starts = progress.epoch, progress.seconds, 0
        self._log.trial(record)
        if self.at_once == 1:  # else epochs of several trials would mix in one curve
            left = self.seconds_left(progress.seconds, progress.seconds_left)
            self._observer.progress(progress.model_copy(update={"seconds_left": left}))
        if self._study.should_prune(record, progress.epochs):
            raise StoppedTrialError

    def finish(self, record: TrialRecord) -> None:
        """Record that a trial was trained to its end."""
        match = f"{record.exact_match:.1%} exact match on validation"
        self._end(record, TrialStatus.FINISHED, f"Trial {record.number} is finished: {match}.")

    def stop(self, record: TrialRecord) -> None:
        """Record that a trial was pruned."""
        why = f"after {record.epochs} epochs it was behind the others"
        self._end(record, TrialStatus.STOPPED, f"Trial {record.number} is stopped: {why}.")

    def fail(self, record: TrialRecord, why: str) -> None:
        """Record that a trial failed; the search continues."""
        record.error = why
        self._end(record, TrialStatus.FAILED, f"Trial {record.number} has failed: {why}")

    @property
    def records(self) -> list[TrialRecord]:
        """All trials, in order."""
        return list(self._records.values())

    @property
    def best(self) -> TrialRecord | None:
        """The finished trial with the best score on validation; of equals the first."""
        finished = (one for one in self.records if one.status is TrialStatus.FINISHED)
        return max(finished, key=lambda record: record.best, default=None)

    def _end(self, record: TrialRecord, status: TrialStatus, message: str) -> None:
        record.status = status
        self._study.tell(record)
        self._report(record, message)

    def _report(self, record: TrialRecord, message: str) -> None:
        self._log.trial(record)
        data = record.model_dump(mode="json", include={"number", "parameters", "status"})
        self._observer.event("trial", message, data)

    def _is_over(self, minutes_left: float | None) -> bool:
        """Return whether no new trial begins."""
        spent = minutes_left is not None and minutes_left <= 0
        finishing = self._observer.finishing() and len(self._records) > 0
        return finishing or spent or len(self._records) == self.search.trials

    def _minutes_left(self) -> float | None:
        """Return the minutes of training that remain, None without a limit."""
        limit = self.search.max_minutes
        spent = sum(record.seconds for record in self.records) / self.at_once
        return None if limit is None else limit - spent / 60

    def seconds_left(self, spent: float, left: float) -> float:
        """Estimate the rest of the search, whose present trial has spent and left so many seconds.

        The trials after it take as long as those that have ended, on average.
        """
        if self._observer.finishing():
            return left
        ended = [one.seconds for one in self.records if one.ended]
        each = sum(ended) / len(ended) if ended else spent + left
        seconds = each * (self.search.trials - len(self._records))
        limit = self._minutes_left()
        return left + (seconds if limit is None else max(0.0, min(seconds, limit * 60)))
