"""What a job works with while others use the same folders."""

from trainer.files.cache import limit_cache
from trainer.pipeline.context import Inputs, prepare
from trainer.schemas.job_request import DatasetRequest, JobRequest, Synthetic
from trainer.schemas.progress import Observer
from trainer.settings import Settings


def test_a_job_loads_its_dataset_again_after_the_cache_has_given_it_up(settings: Settings) -> None:
    request = JobRequest(dataset=DatasetRequest(synthetic=Synthetic(images=40)))
    load, _ = prepare(request, Inputs.of(settings, "job-1"), Observer())
    before = load(request)
    limit_cache(settings.cache, 0)
    assert list(settings.cache.iterdir()) == []
    assert load(request).summary == before.summary
