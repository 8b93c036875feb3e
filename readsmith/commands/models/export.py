"""`readsmith models export`: a version as one file, or as a folder that reads by itself."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from readsmith.options import options
from readsmith.output import out, print_json, say


def export(
    model: options.ModelArgument,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A new folder, or a new file.")],
    to: Annotated[
        Literal["bundle", "python"],
        typer.Option(
            "--to",
            help="bundle: one file, for `models import`; python: a folder that reads by itself.",
        ),
    ],
    version: options.Version = None,
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Write a version as one file with its hashes, or as a folder that reads without Readsmith.

    Example: readsmith models export captcha captcha.zip --to bundle
    """
    if to == "bundle":
        _export_bundle(model, target, version, store, as_json)
    else:
        _export_python(model, target, version, store, as_json)


def _export_bundle(
    model: str, target: Path, version: int | None, store: str, as_json: bool
) -> None:
    from readsmith.published import store_of
    from shared.store.store import version_not_found
    from trainer.pipeline.publishing.bundle_file import write_bundle_file

    published = store_of(store, model)
    published.require(model)
    retained = published.versions(model)
    number = version or published.current(model) or retained[-1]
    if number not in retained:
        raise version_not_found(model, number, retained)
    sha256 = write_bundle_file(published, model, number, target)
    if as_json:
        told = {"model": model, "version": number, "target": str(target), "sha256": sha256}
        print_json(told)
    else:
        say(out, f"{model} version {number} is in {target}, SHA-256 {sha256}.")
        say(out, f"Elsewhere: readsmith models import {target}")


def _export_python(
    model: str, target: Path, version: int | None, store: str, as_json: bool
) -> None:
    from readsmith.published import bundle_of, load
    from readsmith.services.export import export_python

    published = load(store, model, version)
    number = published.engine.manifest.version
    bundle = bundle_of(store, model, number)
    images, different = export_python(published.engine, published.settings, bundle, target)
    if as_json:
        print_json(
            {
                "model": model,
                "version": number,
                "target": str(target),
                "images": images,
                "different": different,
            }
        )
    else:
        say(out, f"{model} version {number} is in {target}: python {target}/read.py IMAGE...")
        say(out, f"Compared on {images} of its images: {different} texts differ.")
