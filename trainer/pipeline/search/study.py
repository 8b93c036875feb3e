"""Chooses the parameters of a search's trials, and which trials to prune, with Optuna."""

import math
from collections.abc import Sequence

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from shared.api.jobs import TrialStatus, Value
from trainer.pipeline.datasets.inputs.image_spec import STEP
from trainer.schemas.search_request import WHOLE, Search, Values
from trainer.schemas.trial import TrialRecord

SAMPLER_STARTUP_TRIALS = 5
"""Trials with random parameters; later ones are sampled by the results of the earlier."""
PRUNER_STARTUP_TRIALS = 3
"""No trial is pruned before this many have finished."""
PRUNER_WARMUP_SHARE = 0.2
"""First share of a trial's epochs, in which it is not pruned: its learning rate still warms up."""
DRAWS = 300
"""After this many samples in a row that were tried before, the space counts as exhausted."""


class Study:
    """An ask-and-tell study; the same seed and results give the same trials.

    Parameters come from a tree-structured Parzen estimator (Bergstra et al. 2011). A trial is
    pruned once its best epoch is below the median of the finished trials at the same epoch.
    earlier: the trials of earlier attempts, in order; interrupted ones are asked for first.
    """

    def __init__(self, search: Search, seed: int, earlier: Sequence[TrialRecord] = ()) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._seed = seed
        self._space: dict[str, BaseDistribution] = {
            name: _distribution(name, values) for name, values in search.parameters.items()
        }
        self._study = optuna.create_study(direction="maximize")
        self._running: dict[int, optuna.Trial] = {}
        self._interrupted = [record for record in earlier if not record.ended]
        self._tried = [record.parameters for record in earlier]
        for record in earlier:
            if record.ended:
                self._add(record)

    def ask(self) -> tuple[int, dict[str, Value]] | None:
        """Return number and parameters of the next trial: an interrupted one, or a new one.

        None once all parameters were tried: training is repeatable, so none is worth repeating.
        """
        if self._interrupted:
            record = self._interrupted.pop(0)
            self._study.enqueue_trial(record.parameters)
            self._running[record.number] = self._study.ask(self._space)
            return record.number, record.parameters
        for draw in range(DRAWS):
            trial = self._draw(draw)
            if trial.params not in self._tried:
                self._tried.append(trial.params)
                self._running[len(self._tried)] = trial
                return len(self._tried), trial.params
            self._study.tell(trial, state=TrialState.FAIL)  # ignored by sampler and pruner
        return None

    def should_prune(self, record: TrialRecord, epochs: int) -> bool:
        """Return whether a running trial should stop; epochs: those of its whole training."""
        trial = self._running[record.number]
        reported = self._study.get_trials(deepcopy=False)[trial.number].intermediate_values
        for step in range(len(reported), len(record.scores)):
            trial.report(record.scores[step], step)
        self._study.pruner = optuna.pruners.MedianPruner(
            n_startup_trials=PRUNER_STARTUP_TRIALS,
            n_warmup_steps=math.ceil(PRUNER_WARMUP_SHARE * epochs),
        )
        return trial.should_prune()

    def tell(self, record: TrialRecord) -> None:
        """Record the end of a trial."""
        self._study.tell(self._running.pop(record.number), *_outcome(record))

    def _draw(self, draw: int) -> optuna.Trial:
        # A seed per trial, so that a resumed search samples what an uninterrupted one would.
        seed = (self._seed + len(self._tried) + 1000 * draw) % 2**32
        if draw:
            self._study.sampler = optuna.samplers.RandomSampler(seed)
        else:
            self._study.sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=SAMPLER_STARTUP_TRIALS, constant_liar=True
            )
        return self._study.ask(self._space)

    def _add(self, record: TrialRecord) -> None:
        value, state = _outcome(record)
        self._study.add_trial(
            create_trial(
                state=state,
                value=value,
                params=record.parameters,
                distributions=self._space,
                intermediate_values=dict(enumerate(record.scores)),
            )
        )


def _outcome(record: TrialRecord) -> tuple[float | None, TrialState]:
    if record.status is TrialStatus.FINISHED:
        return record.best, TrialState.COMPLETE
    # Failed trials count as pruned, because Optuna's sampler ignores FAIL.
    return None, TrialState.PRUNED


def _distribution(name: str, values: Values) -> BaseDistribution:
    if values.choices is not None:
        return CategoricalDistribution(values.choices)
    low, high = values.named
    if name in WHOLE:
        return IntDistribution(int(low), int(high), values.log, STEP if name == "width" else 1)
    return FloatDistribution(float(low), float(high), values.log)
