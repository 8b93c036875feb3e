"""`readsmith predict`: reads pictures with a published version or a running predictor."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from readsmith import options
from readsmith.client import PredictorClient, RefusedError
from readsmith.output import FAILED, percent, print_json, print_table
from shared.preprocessing import ImageRejectedError

Reader = Callable[[bytes], dict[str, Any]]


def predict(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", help="Pictures.", exists=True, dir_okay=False),
    ],
    model: options.Model = "default",
    store: options.Store = options.STORE,
    version: options.Version = None,
    url: Annotated[
        str | None,
        typer.Option(help="A running predictor instead of a store.", show_default=False),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Read pictures.

    Example: readsmith predict captcha.png --url http://127.0.0.1:8080
    """
    if url and version:
        raise typer.BadParameter("--version goes with --store; a predictor serves the current one.")
    read = _remote_reader(url, model) if url else _local_reader(store, model, version)
    results = [_result(read, image) for image in images]
    if as_json:
        print_json({"results": results})
    else:
        print_table(("image", "text", "confidence"), [_row(result) for result in results])
    if any("error" in result for result in results):
        raise typer.Exit(FAILED)


def _local_reader(store: Path, model: str, version: int | None) -> Reader:
    from readsmith.published import load_engine

    engine, manifest = load_engine(store, model, version)

    def read(picture: bytes) -> dict[str, Any]:
        reading = asdict(engine.read([picture])[0])
        return reading | {"model": manifest.model, "version": manifest.version}

    return read


def _remote_reader(url: str, model: str) -> Reader:
    client = PredictorClient(url)
    return lambda picture: client.predict(picture, model)


def _result(read: Reader, image: Path) -> dict[str, Any]:
    try:
        return {"file": str(image)} | read(image.read_bytes())
    except (ImageRejectedError, RefusedError) as error:
        about = {"code": error.code, "message": error.message, "hint": error.hint}
        return {"file": str(image), "error": about}


def _row(result: dict[str, Any]) -> tuple[str, str, str]:
    if "error" in result:
        return result["file"], f"Error: {result['error']['message']}", ""
    return result["file"], result["text"], percent(result["confidence"])
