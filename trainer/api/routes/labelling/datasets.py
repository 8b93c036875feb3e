"""Living datasets: change labels, learn from them, take them along, rename and delete them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from shared.api.datasets import Upload
from shared.api.labelling import ChangedLabels, Learning, LivingDataset
from trainer.api.access import AuditFacts, Who
from trainer.api.problems import problem_responses
from trainer.api.services import Services, TheServices
from trainer.api.slow_calls.outgoing_zip import zip_stream
from trainer.database.datasets.exports import exported
from trainer.schemas.labelling import DatasetRename, LabelChanges

ExportFormat = Literal["readsmith", "paddle", "gt-txt", "huggingface", "label-studio"]

router = APIRouter(
    prefix="/datasets/{dataset_id}", tags=["datasets"], responses=problem_responses(404, 422, 503)
)


@router.put("/labels", responses=problem_responses(408, 409, 415))
def change_labels(
    services: TheServices, who: Who, facts: AuditFacts, dataset_id: str, wanted: LabelChanges
) -> ChangedLabels:
    """Confirm, correct or take back the labels of up to 500 images, all of them or none.

    Each change names the image's `version` as it was looked at. If somebody has changed one since,
    the answer is 409 `labels_changed`, whose `images` are those as they are now; nothing is changed
    then. What is as wanted already counts as done, so a request may be sent twice. `by` is the name
    of the key; without keys, the field `by`.
    """
    facts["labels"] = len(wanted.labels)
    return services.labels.change(dataset_id, wanted.labels, who.name or wanted.by)


@router.post("/learn", status_code=202, responses=problem_responses(409))
def learn_labels(services: TheServices, facts: AuditFacts, dataset_id: str) -> Learning:
    """Learn from the labels now, and propose texts for the other images.

    It happens by itself when images arrive, after every dozen labels and, beyond 48, after every
    25. A learning publishes nothing. Trainings go first: one that is queued stops the learnings
    that run, which begin again after it.
    """
    facts["job_id"] = job_id = services.datasets.learn(dataset_id)
    return Learning(job=job_id)


@router.patch("", responses=problem_responses(408, 415))
def rename_dataset(
    services: TheServices, dataset_id: str, wanted: DatasetRename
) -> Upload | LivingDataset:
    """Name a dataset."""
    services.datasets.rename(dataset_id, wanted.name)
    return shown_dataset(services, dataset_id)


@router.delete("", status_code=204, responses=problem_responses(403, 409, 507))
def delete_dataset(services: TheServices, who: Who, dataset_id: str) -> None:
    """Delete a dataset that no queued or running job needs; a living one takes the scope admin."""
    if services.datasets.is_living(dataset_id):
        who.require_admin("Deleting a living dataset")
        services.datasets.remove(dataset_id)
    else:
        services.uploads.remove(dataset_id)


exports = APIRouter(tags=["datasets"], responses=problem_responses(404, 409, 422, 503))


@exports.get(
    "/datasets/{dataset_id}.zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "A labelled set."}},
)
def export_dataset(
    services: TheServices,
    dataset_id: str,
    wanted: Annotated[ExportFormat, Query(alias="format")] = "readsmith",
) -> StreamingResponse:
    """Take a living dataset along: its images and labels as a zip, in the format of another tool.

    The formats readsmith, huggingface and label-studio hold all states, and who has labelled what
    and when: POST /datasets and then `from` makes the same dataset of them. The others hold texts.
    """
    rows = services.dataset_versions.present(dataset_id)[1]
    named, lists = exported(rows, wanted)
    chunks: Iterator[bytes] = zip_stream(services.dataset_images.files(named), lists)
    headers = {"Content-Disposition": f'attachment; filename="{dataset_id}.zip"'}
    return StreamingResponse(chunks, media_type="application/zip", headers=headers)


def shown_dataset(services: Services, dataset_id: str) -> Upload | LivingDataset:
    """Return a dataset of either kind; raises ReadsmithError dataset_not_found."""
    if services.datasets.is_living(dataset_id):
        return services.datasets.get(dataset_id)
    return services.uploads.get(dataset_id)
