"""Receive zips, written to disk as they arrive."""

from shutil import copyfileobj
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from pydantic import Field
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool

from shared.api.datasets import DatasetPage, Upload
from shared.api.labelling import CreatedDataset, LivingDataset, RejectedImage
from shared.errors import MalformedError, UnusableError
from trainer.api.access import AuditFacts
from trainer.api.problems import (
    checked,
    from_json,
    media_type,
    problem_responses,
    unsupported_media,
)
from trainer.api.routes.dataset_checks import uploaded_file
from trainer.api.routes.labelling.datasets import shown_dataset
from trainer.api.services import Services, TheServices
from trainer.database.datasets.uploads import IncomingZip
from trainer.files.cache import limit_cache
from trainer.pipeline.downloads.fetch import fetch
from trainer.schemas.job_request import DatasetRequest, WebUrl
from trainer.schemas.labelling import NewDataset
from trainer.schemas.progress import Observer
from trainer.schemas.search_request import RequestPart

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

CHUNK = 1 << 20


class WebDataset(RequestPart):
    """Where a zip is."""

    url: WebUrl
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    """What the zip must hash to."""


def _schema(model: type[RequestPart]) -> dict[str, Any]:
    """Return a body's schema; the parts that it names are those of POST /jobs, too."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return schema


FIELDS = (b"file", b"dataset")

FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "application/json": {"schema": {"anyOf": [_schema(WebDataset), _schema(NewDataset)]}},
        },
    }
}


router = APIRouter(tags=["datasets"], responses=problem_responses(422, 503))


@router.post(
    "/datasets",
    status_code=201,
    openapi_extra=FORM,
    responses=problem_responses(408, 415, 429, 507),
)
async def upload_dataset(
    services: TheServices, facts: AuditFacts, request: Request, response: Response
) -> Upload | CreatedDataset:
    """Send a zip of labelled images in the form field `file`; name its id in POST /jobs.

    A tar will do, too: a WebDataset shard, in which a text file beside each image is its label.

    Or send JSON with the `url` of one, which is then downloaded by the rules that hold for jobs;
    the code of a 422 says why it could not be. It is stored until it is deleted, or until room is
    needed: then the oldest go that no queued or running job needs.

    Or send JSON with a `name`, for a living dataset, whose images and labels change and which is
    never deleted to make room. It is empty, or with `from` made of an upload.
    """
    if media_type(request) == "application/json":
        body = from_json(await request.body())
        if not (isinstance(body, dict) and "url" in body):
            made = await _created(checked(NewDataset, body), services, request)
            return _received(made, facts, response)
        web = checked(WebDataset, body)
        upload = await services.downloads.run(
            request, lambda client: upload_from_web(web, services, client)
        )
        return _received(upload, facts, response)
    boundary = _boundary(request.headers.get("content-type", ""))
    announced = request.headers.get("content-length", "")
    room = services.uploads.incoming(int(announced) if announced.isdecimal() else None)
    async with contextmanager_in_threadpool(room) as incoming:
        form = _Form(boundary, incoming)
        async for chunk in request.stream():
            await run_in_threadpool(form.write, chunk)
        form.require_file()
        upload = await services.uploads_to_store.run(
            request, lambda _: services.uploads.save(incoming)
        )
    return _received(upload, facts, response)


@router.get("/datasets", responses=problem_responses(404))
def list_datasets(
    services: TheServices,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(description="The id of the last dataset seen.")] = None,
) -> DatasetPage:
    """List the datasets that are here, newest first: uploads, and living ones."""
    return services.datasets.page(limit, after)


@router.get("/datasets/{dataset_id}", responses=problem_responses(404))
def read_dataset(services: TheServices, dataset_id: str) -> Upload | LivingDataset:
    """Read what is known of a dataset."""
    return shown_dataset(services, dataset_id)


async def _created(wanted: NewDataset, services: Services, request: Request) -> CreatedDataset:
    rejected: list[RejectedImage] = []
    if wanted.from_ is None:
        living = await run_in_threadpool(services.datasets.create, wanted.name)
    else:
        upload = await run_in_threadpool(uploaded_file, services, wanted.from_)
        dataset_id, rejected = await services.checks.run(
            request,
            lambda client: services.dataset_imports.create(
                wanted.name, upload, wanted.labels, client.checkpoint
            ),
        )
        living = await run_in_threadpool(services.datasets.get, dataset_id)
    return CreatedDataset(**dict(living), rejected=rejected)


Received = TypeVar("Received", Upload, CreatedDataset)


def _received(dataset: Received, facts: dict[str, object], response: Response) -> Received:
    facts.update(dataset_id=dataset.id, bytes=dataset.bytes)
    response.headers["Location"] = f"/datasets/{dataset.id}"
    return dataset


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or b"boundary" not in options:
        hint = "Send a multipart form: curl -F file=@images.zip …"
        raise unsupported_media(content_type, hint)
    return options[b"boundary"]


class _Form:
    """A multipart form whose file goes straight to disk; other fields are passed over."""

    def __init__(self, boundary: bytes, incoming: IncomingZip) -> None:
        self._incoming = incoming
        self._name, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._in_file = False
        self._files = 0
        self._complete = False
        try:
            self._parser = MultipartParser(boundary, self._callbacks())
        except FormParserError as error:
            raise _form_invalid(error) from None

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body; raises ReadsmithError."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _form_invalid(error) from None

    def require_file(self) -> None:
        """Raise ReadsmithError unless the form came whole and held exactly one file."""
        if not self._complete:
            raise _form_invalid("it ends too early")
        if self._files != 1:
            raise UnusableError(
                "request_invalid",
                f"The form holds {self._files} files named file, not one.",
                "curl -F file=@images.zip sends one.",
                "file",
            )

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._take_data,
            "on_end": self._end,
        }

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        options = parse_options_header(self._disposition)[1]
        self._disposition = b""
        self._in_file = options.get(b"name") in FIELDS and b"filename" in options
        self._files += self._in_file

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file and self._files == 1:
            self._incoming.write(data[start:end])

    def _end(self) -> None:
        self._complete = True


def _form_invalid(why: object) -> MalformedError:
    return MalformedError(
        "form_invalid", f"The form cannot be read: {why}.", "curl -F file=@images.zip sends one."
    )


def upload_from_web(wanted: WebDataset, services: Services, observer: Observer) -> Upload:
    """Download a zip by the rules of the jobs' downloads and store it as an upload.

    Raises what fetch does, BusyError, TooLargeError, DatasetError and CancelledRunError.
    """
    settings = services.settings
    dataset = DatasetRequest(url=wanted.url, sha256=wanted.sha256)
    try:
        path = fetch(dataset, settings.cache, services.files, observer, settings.downloads)
        with (
            path.open("rb") as zip_file,
            services.uploads.incoming(path.stat().st_size) as incoming,
        ):
            copyfileobj(zip_file, incoming, CHUNK)
            return services.uploads.save(incoming)
    finally:
        limit_cache(settings.cache, settings.max_cache_bytes)
