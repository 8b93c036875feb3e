"""What `readsmith doctor` checks of Python, the libraries and the processor."""

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from readsmith.commands.doctor.finding import Finding, ok, problem, warning
from readsmith.library_logs import without_library_logs

PARTS = ("command line", "trainer", "predictor")
"""What can be installed; all but the first are extras of the package."""
INSTEAD = {"tensorflow-cpu": "tensorflow"}
"""Libraries that do what another one does, and more."""
FEATURES = ("avx", "avx2", "fma", "avx512f", "asimd")
NVIDIA = Path("/proc/driver/nvidia/version")


def python() -> Iterator[Finding]:
    """Compare Python with what the package needs."""
    wanted = metadata("readsmith")["Requires-Python"]
    found = platform.python_version()
    if SpecifierSet(wanted).contains(found, prereleases=True):
        yield ok("python", f"{found} in {sys.prefix}")
    else:
        advice = "Install one of those and make a new virtual environment with it."
        yield problem("python", f"{found}, but {wanted} is needed", advice)


def libraries() -> Iterator[Finding]:
    """Compare the installed libraries with what each part of the package needs."""
    needed = [Requirement(line) for line in requires("readsmith") or ()]
    for part in PARTS:
        wanted = [each for each in needed if _is_of(each, part)]
        wrong = [complaint for each in wanted if (complaint := _complaint(each))]
        if wrong:
            extra = "" if part == PARTS[0] else f"[{part}]"
            yield problem(
                "libraries",
                f"{part}: {', '.join(wrong)}",
                f"pip install --upgrade 'readsmith{extra}', or `make run` in a checkout.",
            )
        else:
            yield ok("libraries", f"{part}: all {len(wanted)} are as needed")


def _is_of(requirement: Requirement, part: str) -> bool:
    if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
        return part == PARTS[0]
    return requirement.marker.evaluate({"extra": part})


def _complaint(requirement: Requirement) -> str:
    """Say what is wrong with the installed library; nothing if it is fit."""
    for name in filter(None, (requirement.name, INSTEAD.get(requirement.name))):
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        fits = requirement.specifier.contains(found, prereleases=True)
        return "" if fits else f"{name} is {found}, needed is {requirement.specifier}"
    return f"{requirement.name} is missing"


def processor() -> Iterator[Finding]:
    """Tell the cores that this process may use and what they can do."""
    machine, cores = platform.machine(), len(os.sched_getaffinity(0))
    words = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    features = [feature for feature in FEATURES if feature in words]
    facts = f"{machine}, {cores} cores for this process, {' '.join(features)}"
    if machine == "x86_64" and "avx" not in features:
        advice = "Train on another machine; models can be served on this one."
        yield problem("processor", f"{facts}: no AVX, which TensorFlow needs", advice)
    else:
        yield ok("processor", facts)


def tensorflow() -> Iterator[Finding]:
    """Import TensorFlow in a child process and tell what it would train on."""
    from trainer.subprocesses import in_clean_process

    with without_library_logs():
        devices = in_clean_process(_devices)
    if NVIDIA.exists() and devices == "on the CPU":
        yield warning(
            "tensorflow",
            "It sees no GPU, though there is an NVIDIA driver: training runs on the CPU",
            "docs/gpu.md says which TensorFlow to install for it.",
        )
    else:
        yield ok("tensorflow", f"It can be used; training runs {devices}")


def _devices() -> str:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from trainer.pipeline.training.devices import find_devices

    return str(find_devices())
