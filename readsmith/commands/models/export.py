"""`readsmith models export`: a version as a folder that reads without Readsmith."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from readsmith.options import options
from readsmith.output import out, print_json, say


def export(
    model: options.ModelArgument,
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to; a new folder.")],
    to: Annotated[
        Literal["python"], typer.Option("--to", help="python: a file that reads by itself.")
    ],
    version: options.Version = None,
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Write a version as a folder that reads without Readsmith: the network and one file of Python.

    Example: readsmith models export captcha captcha-reader --to python
    """
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
