"""Look at the published models, and choose what they serve."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from shared.api.models import AllowedList, DeletedVersion, ModelPage, ModelView, VersionView
from shared.errors import BundleError, NotFoundError
from shared.patterns.allowed import AllowedTexts
from shared.patterns.check_digits import CheckDigit
from shared.patterns.parser import MAX_LENGTH
from shared.store.records.record import ModelRecord, ModelSettings
from shared.store.store import DELETED_DAYS, ModelStore
from trainer.api.access import AuditFacts
from trainer.api.problems import problem_responses
from trainer.api.services import TheServices
from trainer.database.pages import page_of
from trainer.pipeline.publishing.allowed import accept_allowed
from trainer.pipeline.publishing.pattern import accept_pattern
from trainer.schemas.search_request import RequestPart

router = APIRouter(tags=["models"])


class PromotionRequest(RequestPart):
    """Which version is to be served."""

    version: int = Field(ge=1)


class RestorationRequest(RequestPart):
    """Which deleted version is to come back; null for all."""

    version: int | None = Field(None, ge=1)


Force = Annotated[bool, Query(description="Delete also what is served.")]


class PatternRequest(RequestPart):
    """What predictions are to fit; null for anything."""

    pattern: Annotated[str, Field(max_length=MAX_LENGTH)] | None


class AllowedRequest(RequestPart):
    """The texts that predictions may be: those of a list, or with a right check digit.

    null removes what there was.
    """

    texts: AllowedTexts | None
    check_digit: CheckDigit | None = None
    threshold: float | None = Field(None, ge=0, le=1)
    """The confidence below which an image is taken to show none of them; null: 0.5."""


@router.get("/models", responses=problem_responses(422))
def list_models(
    services: TheServices,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str, Query(description="The name of the last model seen.")] = "",
    deleted: Annotated[
        bool, Query(description="List models of which something was deleted, instead.")
    ] = False,
) -> ModelPage:
    """List the published models by name."""
    models = services.models
    found = models.models_with_deleted() if deleted else models.models()
    names = [name for name in found if name > after]
    data, has_more = page_of(names, limit, lambda name: _model(services.models, name))
    return ModelPage(data=data, has_more=has_more, default=services.models.default())


@router.get("/models/{name}", responses=problem_responses(404, 422))
def read_model(services: TheServices, name: str) -> ModelView:
    """Read one model's versions and their metrics."""
    return _known(services.models, name)


@router.post("/models/{name}/promote", responses=problem_responses(404, 408, 409, 415, 422, 507))
def promote(
    services: TheServices, facts: AuditFacts, name: str, wanted: PromotionRequest
) -> ModelView:
    """Make a retained version the served one, once its files have been verified."""
    facts["version"] = wanted.version
    services.models.promote(name, wanted.version)
    return _known(services.models, name)


@router.post("/models/{name}/rollback", responses=problem_responses(404, 409, 422, 507))
def rollback(services: TheServices, facts: AuditFacts, name: str) -> ModelView:
    """Serve the version that was served before; done again, it goes one step further back."""
    facts["version"] = services.models.rollback(name)
    return _known(services.models, name)


@router.delete("/models/{name}", status_code=204, responses=problem_responses(404, 409, 422, 507))
def delete_model(services: TheServices, name: str, force: Force = False) -> None:
    """Delete all versions of a model. They are kept for seven days, for restore."""
    services.models.delete(name, force=force)


@router.delete(
    "/models/{name}/versions/{version}",
    status_code=204,
    responses=problem_responses(404, 409, 422, 507),
)
def delete_version(
    services: TheServices, facts: AuditFacts, name: str, version: int, force: Force = False
) -> None:
    """Delete a version. It is kept for seven days, for restore.

    In place of a served one the version before it is served, if there is one.
    """
    facts["version"] = version
    services.models.delete(name, version, force=force)


@router.post("/models/{name}/restore", responses=problem_responses(404, 408, 409, 415, 422, 507))
def restore(
    services: TheServices, facts: AuditFacts, name: str, wanted: RestorationRequest
) -> ModelView:
    """Take back the deletion of a version, or of all deleted ones.

    Where nothing is served, the version that was served before its deletion is served again.
    """
    facts["versions"] = services.models.restore(name, wanted.version)
    return _known(services.models, name)


@router.post("/models/{name}/default", responses=problem_responses(404, 409, 422, 507))
def set_default(services: TheServices, name: str) -> ModelView:
    """Have the model answer requests that name none; the predictor does so within seconds."""
    services.models.set_default(name)
    return _known(services.models, name)


@router.delete(
    "/models/{name}/default", status_code=204, responses=problem_responses(404, 422, 507)
)
def unset_default(services: TheServices, name: str) -> None:
    """Take that back. The model need not be there any more."""
    if services.models.default() != name:
        raise NotFoundError(
            "model_not_found",
            f"Model {name[:64]!r} is not the default one.",
            "GET /models names the default model.",
        )
    services.models.set_default(None)


@router.post("/models/{name}/pattern", responses=problem_responses(404, 408, 409, 415, 422, 507))
def set_pattern(
    services: TheServices, facts: AuditFacts, name: str, wanted: PatternRequest
) -> ModelView:
    """Accept a pattern as the model's default, its proposed one or another; null drops it."""
    facts["pattern"] = wanted.pattern
    accept_pattern(services.models, name, wanted.pattern)
    return _known(services.models, name)


@router.get("/models/{name}/allowed", responses=problem_responses(404, 409, 422))
def read_allowed(services: TheServices, name: str) -> AllowedList:
    """Read the model's list of allowed texts; null if predictions may be any text."""
    services.models.require(name)
    settings = services.models.settings(name)
    return AllowedList(
        texts=settings.allowed,
        check_digit=settings.check_digit,
        threshold=settings.allowed_threshold,
    )


@router.post("/models/{name}/allowed", responses=problem_responses(404, 408, 409, 415, 422, 507))
def set_allowed(
    services: TheServices, facts: AuditFacts, name: str, wanted: AllowedRequest
) -> ModelView:
    """Set the texts that the model's predictions may be; null drops the list."""
    facts["allowed_texts"] = len(wanted.texts or ())
    facts["check_digit"] = wanted.check_digit
    chosen = ModelSettings(
        allowed=wanted.texts, check_digit=wanted.check_digit, allowed_threshold=wanted.threshold
    )
    accept_allowed(services.models, name, chosen)
    return _known(services.models, name)


def _known(store: ModelStore, name: str) -> ModelView:
    store.require(name)
    return _model(store, name)


def _model(store: ModelStore, name: str) -> ModelView:
    record, problem = ModelRecord(), None
    try:
        record = store.record(name)
    except BundleError as error:
        problem = error.message
    versions = [_version(store, name, number) for number in store.versions(name)]
    return ModelView(
        name=name,
        default=name == store.default(),
        current=record.current,
        previous=record.previous,
        pattern=record.settings.pattern,
        allowed_texts=len(record.settings.allowed or ()) or None,
        check_digit=record.settings.check_digit,
        allowed_threshold=record.settings.allowed_threshold,
        versions=versions,
        deleted=[] if problem else _deleted(store, name),
        problem=problem,
    )


def _deleted(store: ModelStore, name: str) -> list[DeletedVersion]:
    kept = timedelta(days=DELETED_DAYS)
    return [
        DeletedVersion(version=number, deleted_at=one.at, kept_until=one.at + kept)
        for number, one in sorted(store.deleted(name).items())
    ]


def _version(store: ModelStore, name: str, number: int) -> VersionView:
    try:
        return VersionView.model_validate(store.manifest(name, number), from_attributes=True)
    except BundleError as error:
        return VersionView(version=number, problem=error.message)
