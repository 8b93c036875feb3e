"""From required rates to machines: the model of docs/scaling.md for your numbers.

python -m benchmarks.capacity --predictions-per-second 1000 --jobs-per-day 100 --images-per-job 1000
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

DAY = 86_400


@dataclass(frozen=True)
class Costs:
    """Unit costs, as measured on cores of an Intel Xeon at 2.5 GHz."""

    prediction: float = 0.0036
    """Core seconds of a predictor for a request with one image, under full load."""
    batched_prediction: float = 0.00145
    """The same for one of 64 images in a request."""
    gateway: float = 0.00022
    """Core seconds of nginx for a request."""
    request_bytes: int = 5_500
    """One image of Captcha Images V2 with its headers, and the answer."""
    predictor_process_bytes: int = 120_000_000
    """Resident: one process for each core, with one model beside the starter."""
    model_bytes: int = 3_000_000
    """Each further model in each process."""
    shown: float = 0.0081
    """Core seconds for each image that training sees, the rest of the job included."""
    most_shown: int = 60_000
    """Images of 200 pixels that a job trains on; jobs that learn quickly stop earlier."""
    least_epochs: int = 12
    most_epochs: int = 400
    job_bytes: int = 720_000_000
    """Memory of a job with a small set."""
    image_bytes: int = 11_700
    """Memory of a job for each image of a set held in memory."""
    most_held: int = 110_000
    """Images of 200x50; larger sets are streamed from shards."""
    streaming_job_bytes: int = 830_000_000
    streamed_image_bytes: int = 380
    """Peak memory for each image of such a set: during the search for duplicates."""
    stored_image_bytes: int = 4_500
    version_bytes: int = 2_000_000
    """A version with its report in the model store."""
    events_bytes: int = 30_000
    """Rows that a job leaves in the database."""


MEASURED = Costs()


@dataclass(frozen=True)
class Wanted:
    """The required rates."""

    predictions_per_second: float
    """Images, at peak load."""
    jobs_per_day: float
    images_per_job: int = 1000
    models: int = 1
    images_per_request: int = 1
    cores_per_machine: int = 16
    busy: float = 0.6
    """Target utilisation of the cores; the rest is for bursts, restarts and a lost machine."""


@dataclass(frozen=True)
class Needed:
    """The resources that those rates need."""

    requests_per_second: float
    predictor_cores: int
    predictor_machines: int
    predictor_memory_gb: float
    gateway_cores: int
    network_gbit_per_second: float
    core_minutes_per_job: float
    training_cores: int
    training_machines: int
    memory_per_job_gb: float
    sets_gb_per_day: float
    versions_gb_per_day: float
    database_gb_per_day: float
    polls_per_second: float
    """Of the model store, by all predictor processes together (READSMITH_POLL_SECONDS=1)."""


def needed(wanted: Wanted, costs: Costs = MEASURED) -> Needed:
    """Calculate the resources for the required rates."""
    batched = wanted.images_per_request > 1
    requests = wanted.predictions_per_second / wanted.images_per_request
    prediction = costs.batched_prediction if batched else costs.prediction
    predictors = _cores(wanted.predictions_per_second * prediction, wanted)
    core_seconds = _shown(wanted.images_per_job, costs) * costs.shown
    training = _cores(wanted.jobs_per_day * core_seconds / DAY, wanted)
    process = costs.predictor_process_bytes + (wanted.models - 1) * costs.model_bytes
    return Needed(
        requests_per_second=round(requests, 1),
        predictor_cores=predictors,
        predictor_machines=_machines(predictors, wanted),
        predictor_memory_gb=_giga(predictors * process),
        gateway_cores=_cores(requests * costs.gateway, wanted),
        network_gbit_per_second=_giga(8 * wanted.predictions_per_second * costs.request_bytes),
        core_minutes_per_job=round(core_seconds / 60, 1),
        training_cores=training,
        training_machines=_machines(training, wanted),
        memory_per_job_gb=_giga(_memory(wanted.images_per_job, costs)),
        sets_gb_per_day=_giga(
            wanted.jobs_per_day * wanted.images_per_job * costs.stored_image_bytes
        ),
        versions_gb_per_day=_giga(wanted.jobs_per_day * costs.version_bytes),
        database_gb_per_day=_giga(wanted.jobs_per_day * costs.events_bytes),
        polls_per_second=float(predictors * wanted.models),
    )


def _shown(images: int, costs: Costs) -> int:
    epochs = round(costs.most_shown / images)
    return images * min(max(epochs, costs.least_epochs), costs.most_epochs)


def _memory(images: int, costs: Costs) -> float:
    if images <= costs.most_held:
        return costs.job_bytes + images * costs.image_bytes
    return costs.streaming_job_bytes + images * costs.streamed_image_bytes


def _cores(busy: float, wanted: Wanted) -> int:
    return math.ceil(busy / wanted.busy)


def _machines(cores: int, wanted: Wanted) -> int:
    return math.ceil(cores / wanted.cores_per_machine)


def _giga(number: float) -> float:
    return round(number / 1e9, 2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the resources for the required rates, as lines or as JSON."""
    parser = argparse.ArgumentParser(prog="capacity", description=__doc__)
    parser.add_argument("--predictions-per-second", type=rate, required=True)
    parser.add_argument("--jobs-per-day", type=rate, required=True)
    parser.add_argument("--images-per-job", type=whole, default=1000)
    parser.add_argument("--models", type=whole, default=1)
    parser.add_argument("--images-per-request", type=whole, default=1)
    parser.add_argument("--cores-per-machine", type=whole, default=16)
    parser.add_argument("--busy", type=share, default=0.6, help="target utilisation of the cores")
    parser.add_argument("--json", action="store_true")
    given = vars(parser.parse_args(arguments))
    as_json = given.pop("json")
    found = asdict(needed(Wanted(**given)))
    if as_json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name.replace('_', ' '):28} {value:>16,}")


def rate(text: str) -> float:
    """Parse an argument: a number of 0 or more."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return number


def whole(text: str) -> int:
    """Parse an argument: a whole number of 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def share(text: str) -> float:
    """Parse an argument: a number above 0 and at most 1."""
    number = float(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return number


if __name__ == "__main__":
    main()
