"""How long it takes to publish a version and to load it, in a folder and in a bucket.

`python -m benchmarks.model_store var/x s3://bucket/prefix`; the AWS_… variables say where it is.
"""

import argparse
import shutil
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median

from predictor.loading import load_version
from readsmith.stores import open_store
from shared.builtin import STARTER, builtin_store
from shared.manifest import MANIFEST, FileEntry, Manifest
from shared.model_store import ModelStore

VERSIONS = 10


def main() -> None:
    """Print a line for each place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", nargs="+", metavar="PLACE")
    for place in parser.parse_args().places:
        store = open_store(place)
        with tempfile.TemporaryDirectory() as folder:
            publish, load = measure(store, Path(folder))
        print(f"{place}: {publish:.3f} s to publish, {load:.3f} s to load (medians of {VERSIONS})")


def measure(store: ModelStore, folder: Path) -> tuple[float, float]:
    """Return the median seconds to publish a bundle like the starter, and to load it first."""
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
