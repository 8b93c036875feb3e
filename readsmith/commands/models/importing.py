"""`readsmith models import`: a version of another store, or a Keras model made elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from readsmith.library_logs import without_library_logs
from readsmith.options import options
from readsmith.output import out, print_json, say


def adopt(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="What `models export --to bundle` wrote, or an h5.", exists=True
        ),
    ],
    vocabulary: Annotated[
        str | None,
        typer.Option(
            help="Of an h5: its characters in the order of its classes, without unknown and blank."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="The model's name; that of the file, for an h5 default.",
            callback=lambda model: model and options.model_name(model),
        ),
    ] = None,
    store: options.Store = options.STORE,
    retained_versions: options.RetainedVersions = None,
    as_json: options.Json = False,
) -> None:
    """Publish a version that was exported elsewhere, or a Keras model with its vocabulary.

    Example: readsmith models import captcha.zip
    """
    from readsmith.stores import open_store
    from trainer.pipeline.publishing.bundle_file import import_bundle_file
    from trainer.pipeline.publishing.import_h5 import adopt as adopt_h5

    target = open_store(store, retained_versions)
    if vocabulary is None:
        manifest = import_bundle_file(file, target, model)
    else:
        with without_library_logs():
            manifest = adopt_h5(file, vocabulary, target, model or "default")
    if as_json:
        print_json(
            {
                "model": manifest.model,
                "version": manifest.version,
                "vocabulary": "".join(manifest.vocabulary),
                "image": manifest.image.model_dump(mode="json"),
                "time_steps": manifest.time_steps,
            }
        )
    else:
        say(out, f"Published {manifest.model} version {manifest.version} in {store}.")
