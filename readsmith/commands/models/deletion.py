"""`readsmith models delete` and `restore`: versions that go, and that come back."""

from typing import Annotated

import typer

from readsmith.options import options
from readsmith.output import out, print_json, say

Number = Annotated[
    int | None, typer.Argument(metavar="VERSION", min=1, help="Which; all without it.")
]


def delete(
    model: options.ModelArgument,
    version: Number = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete also what is served.")] = False,
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Delete a version, or a whole model; for seven days it can be restored.

    In place of a served version the one before it is served, if there is one.

    Example: readsmith models delete captcha 2
    """
    from readsmith.stores import open_store

    published = open_store(store)
    gone = [version] if version else published.versions(model)
    published.delete(model, version, force=yes)
    current = published.current(model)
    if as_json:
        print_json({"model": model, "deleted": gone, "current": current})
        return
    now = f"version {current} is served" if current else "no version of it is served"
    say(out, f"Deleted {', '.join(map(str, gone))} of {model}; {now}.")
    say(out, f"Within seven days: readsmith models restore {model} --store {store}")


def restore(
    model: options.ModelArgument,
    version: Number = None,
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Take back the deletion of a version, or of all that were deleted within seven days.

    Example: readsmith models restore captcha
    """
    from readsmith.stores import open_store

    published = open_store(store)
    restored, current = published.restore(model, version), published.current(model)
    if as_json:
        print_json({"model": model, "restored": restored, "current": current})
        return
    now = f"version {current} is served" if current else "no version of it is served"
    say(out, f"Restored {', '.join(map(str, restored))} of {model}; {now}.")
