"""`readsmith models copy`: from a folder to an object storage."""

from typing import Annotated

import typer

from readsmith.options import options
from readsmith.output import out, print_json, say


def copy(
    target: Annotated[str, typer.Argument(metavar="s3://BUCKET/PREFIX", help="Where to.")],
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL...", help="Which; all without.")
    ] = None,
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Copy models from a folder to an object storage, with their numbers and the way back.

    Without MODEL the choice of the default model is copied, too.

    Example: readsmith models copy s3://our-bucket/models
    """
    from shared.store.copy import copy_model
    from shared.store.location import is_object_storage
    from shared.store.objects.bucket import Bucket
    from shared.store.records.records import ModelRecords
    from shared.store.store import ModelStore

    if not is_object_storage(target) or is_object_storage(store):
        raise typer.BadParameter("Models are copied from a folder to s3://bucket/prefix.")
    source, bucket = ModelStore(store), Bucket(options.place(target))
    copied = {
        model: copy_model(source, bucket, model).numbers for model in models or source.models()
    }
    if not models and (default := source.default()):
        ModelRecords(bucket).set_default(default)
    if as_json:
        print_json({"target": bucket.address, "copied": copied})
    else:
        for model, numbers in copied.items():
            say(out, f"{model}: {', '.join(map(str, numbers))} copied to {bucket.address}.")
