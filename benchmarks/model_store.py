"""Time to publish a version and to load it, in a folder and in a bucket.

    python -m benchmarks.model_store [LOCATION ...] [--json FILE]

A location is a folder or s3://bucket/prefix, with the AWS_… variables for its endpoint. Default: a
folder and an S3 server, both on this machine.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.record import Machine
from predictor.models.loading import load_version
from readsmith.stores import open_store
from shared.store.builtin import STARTER, builtin_store
from shared.store.manifest import MANIFEST, FileEntry, Manifest
from shared.store.store import ModelStore
from tests.support.services import object_storage

VERSIONS = 10


def main() -> None:
    """Print a row for each location."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("locations", nargs="*", metavar="LOCATION")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    machine = Machine.this()
    table = Table("location", "seconds to publish", "seconds to load", title=f"{VERSIONS} versions")
    found: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        for location in options.locations or _local_locations(stack):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            publish, load = measure(open_store(location), folder)
            found[location] = {"publish_seconds": publish, "load_seconds": load}
            table.add_row(location, f"{publish:.3f}", f"{load:.3f}")
    Console().print(table)
    if options.json:
        content = {"machine": machine.model_dump(), "found": found}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


def _local_locations(stack: ExitStack) -> list[str]:
    """Start an object storage; return a folder and an address on the storage."""
    os.environ |= object_storage.variables(stack.enter_context(object_storage.object_storage()))
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    return [folder, f"s3://{object_storage.BUCKET}/models"]


def measure(store: ModelStore, folder: Path) -> tuple[float, float]:
    """Return the median seconds to publish a bundle like the starter, and to load it uncached."""
    model, starter = f"bench-{uuid.uuid4().hex[:8]}", builtin_store()
    version = starter.versions(STARTER)[-1]
    build = Path(shutil.copytree(starter.folder(STARTER, version), folder / "build"))
    (build / MANIFEST).unlink()
    manifest = starter.manifest(STARTER, version)
    published, loaded = [], []
    for number in range(1, VERSIONS + 1):
        job = f"job-{number}"

        def numbered(version: int, files: dict[str, FileEntry], job: str = job) -> Manifest:
            about = {"model": model, "version": version, "job_id": job, "files": files}
            return manifest.model_copy(update=about)

        begun = time.perf_counter()
        store.publish(build, numbered, model=model, job_id=job)
        published.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        load_version(store, model, number, threads=1)
        loaded.append(time.perf_counter() - begun)
    return median(published), median(loaded)


if __name__ == "__main__":
    main()
