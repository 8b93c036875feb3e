"""Look closely at a published version: what it is, its report, its files, and another beside it."""

import json
import mimetypes
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from shared.api.headers import IMAGE_HEADERS
from shared.api.models import VersionComparison, VersionDetails
from shared.errors import NotFoundError, ReadsmithError
from shared.store.manifest import MANIFEST, REPORT, Manifest
from shared.store.store import ModelStore, version_not_found
from trainer.api.problems import problem_responses
from trainer.api.services import TheServices
from trainer.api.slow_calls.call_limit import WaitingClient
from trainer.api.slow_calls.previews import preview_answer
from trainer.pipeline.datasets.sources.image_files import IMAGE_ENDINGS
from trainer.pipeline.evaluation.compare_versions import compare_versions
from trainer.pipeline.evaluation.report.worst import worst_predictions

CHUNK = 1 << 20

router = APIRouter(
    prefix="/models/{name}", tags=["models"], responses=problem_responses(404, 409, 422, 429)
)

Version = Annotated[int, Query(ge=1, le=999_999_999)]


@router.get("/versions/{version}")
def read_version(services: TheServices, name: str, version: int) -> VersionDetails:
    """Read what a version is."""
    manifest = _manifest(services.models, name, version)
    told = manifest.model_copy(update={"vocabulary": "".join(manifest.vocabulary)})
    return VersionDetails.model_validate(told, from_attributes=True)


@router.get("/versions/{version}/report")
def read_version_report(services: TheServices, name: str, version: int) -> dict[str, Any]:
    """Read a version's evaluation, as GET /jobs/{id}/report, and its worst predictions' images.

    `worst` lists image (below this version's files), file, truth, text and confidence.
    """
    manifest = _manifest(services.models, name, version)
    _require_listed(manifest, f"{REPORT}/metrics.json")
    folder = services.models.folder(name, version)
    report: dict[str, Any] = json.loads((folder / REPORT / "metrics.json").read_bytes())
    return report | {"worst": worst_predictions(folder)}


@router.get(
    "/versions/{version}/report.zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The report's folder."}},
)
async def download_report(
    services: TheServices, request: Request, name: str, version: int
) -> StreamingResponse:
    """Download a version's report: figures, curves, images, event files for TensorBoard."""
    packed = await services.reports.run(request, lambda _: _packed(services.models, name, version))
    headers = _attachment(f"{name}-{version}-report.zip")
    return StreamingResponse(_chunks(packed), media_type="application/zip", headers=headers)


def _packed(store: ModelStore, name: str, version: int) -> IO[bytes]:
    manifest = _manifest(store, name, version)
    listed = sorted(file for file in manifest.files if file.startswith(f"{REPORT}/"))
    if not listed:
        raise _file_not_found(manifest, REPORT)
    folder = store.folder(name, version)
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has been sent
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in listed:
            archive.write(folder / file, file.removeprefix(f"{REPORT}/"))
    packed.seek(0)
    return packed


@router.get(
    "/versions/{version}/files/{file:path}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The file."}},
)
async def download_file(
    services: TheServices, request: Request, name: str, version: int, file: str
) -> Response:
    """Download a file that the version's manifest lists, or the manifest; images come as PNG."""
    return await services.images.run(
        request, lambda _: _file_answer(services.models, name, version, file)
    )


def _file_answer(store: ModelStore, name: str, version: int, file: str) -> Response:
    manifest = _manifest(store, name, version)
    if file != MANIFEST:
        _require_listed(manifest, file)
    path = store.folder(name, version) / file
    suffix = Path(file).suffix.lower()
    if suffix == ".png":
        return FileResponse(path, media_type="image/png", headers=IMAGE_HEADERS)
    if suffix in IMAGE_ENDINGS:
        return preview_answer(path.read_bytes())
    kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
    headers = _attachment(f"{name}-{version}-{Path(file).name}")
    return FileResponse(path, media_type=kind, headers=headers)


@router.get("/compare")
async def compare(
    services: TheServices, request: Request, name: str, a: Version, b: Version
) -> VersionComparison:
    """Set two versions side by side on the images that either was tested on."""

    def compared(_: WaitingClient) -> VersionComparison:
        for version in (a, b):
            _manifest(services.models, name, version)
        return compare_versions(services.models, name, a, b)

    return await services.reports.run(request, compared)


def _manifest(store: ModelStore, name: str, version: int) -> Manifest:
    """Return a retained version's manifest; raises ReadsmithError."""
    store.require(name)
    if version not in (retained := store.versions(name)):
        raise version_not_found(name, version, retained)
    return store.manifest(name, version)


def _require_listed(manifest: Manifest, file: str) -> None:
    if file not in manifest.files:
        raise _file_not_found(manifest, file)


def _file_not_found(manifest: Manifest, file: str) -> ReadsmithError:
    return NotFoundError(
        "file_not_found",
        f"Version {manifest.version} of {manifest.model} holds no {file[:200]}.",
        "The version's `files` lists what it holds.",
    )


def _attachment(filename: str) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="{filename}"',
        "X-Content-Type-Options": "nosniff",
    }


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk
