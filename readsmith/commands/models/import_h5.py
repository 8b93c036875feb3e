"""`readsmith models import`: adopts a Keras model that was made elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from readsmith.library_logs import without_library_logs
from readsmith.options import options
from readsmith.output import out, print_json, say


def adopt(
    h5: Annotated[
        Path,
        typer.Argument(metavar="MODEL.h5", help="A Keras inference model.", exists=True),
    ],
    vocabulary: Annotated[
        str,
        typer.Option(help="Its characters in the order of its classes, without unknown and blank."),
    ],
    model: options.Model = "default",
    store: options.Store = options.STORE,
    retained_versions: options.RetainedVersions = None,
    as_json: options.Json = False,
) -> None:
    """Publish a Keras model made elsewhere, for example with the Keras captcha tutorial.

    Example: readsmith models import prediction_model.h5 --vocabulary 2345678bcdefgmnpwxy
    """
    from readsmith.stores import open_store
    from trainer.pipeline.publishing.import_h5 import adopt as publish

    with without_library_logs():
        manifest = publish(h5, vocabulary, open_store(store, retained_versions), model)
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
