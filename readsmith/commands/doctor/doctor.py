"""`readsmith doctor`: is this installation fit to train and to read?"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import typer
from rich.text import Text

from readsmith.commands.doctor.finding import Finding, Severity, problem
from readsmith.options import options
from readsmith.output import FAILED, explained, out, print_json, say

STYLES = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.PROBLEM: "bold red"}


def doctor(
    store: options.Store = options.STORE,
    state: options.State = options.STATE,
    as_json: options.Json = False,
) -> None:
    """Check versions, processor, disks, published models, settings, database and ports.

    It changes nothing. Exit code 1 if there is a problem; a warning is none.

    Example: readsmith doctor --store var/models
    """
    findings = []
    for finding in _findings(store, state):
        findings.append(finding)
        if not as_json:
            _print(finding)
    problems, warnings = (
        sum(each.state is kind for each in findings)
        for kind in (Severity.PROBLEM, Severity.WARNING)
    )
    if as_json:
        print_json({"ok": not problems, "checks": [asdict(finding) for finding in findings]})
    else:
        say(out, f"Problems: {problems}; warnings: {warnings}.")
    if problems:
        raise typer.Exit(FAILED)


def _findings(store: str, state: Path) -> Iterator[Finding]:
    from readsmith.commands.doctor import installation, services
    from readsmith.commands.doctor import ray as doctor_ray
    from readsmith.commands.doctor import store as stores

    yield from _guarded("python", installation.python)
    yield from _guarded("libraries", installation.libraries)
    yield from _guarded("processor", installation.processor)
    yield from _guarded("tensorflow", installation.tensorflow)
    yield from _guarded("store", lambda: stores.store(store))
    yield from _guarded("state", lambda: stores.state(state))
    yield from _guarded("starter", stores.starter)
    yield from _guarded("models", lambda: stores.models(store))
    yield from _guarded("clock", lambda: stores.clock(store))
    about_settings = list(_guarded("settings", services.settings))
    yield from about_settings
    if any(finding.state is Severity.PROBLEM for finding in about_settings):
        return  # which file, database and ports are meant cannot be told
    yield from _guarded("keys", services.keys)
    yield from _guarded("database", lambda: services.database(state))
    yield from _guarded("ray", doctor_ray.cluster)
    yield from _guarded("ports", services.ports)


def _guarded(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what a check finds; whatever stops it is a problem, and the next one goes on."""
    try:
        yield from look()
    except Exception as error:
        about = explained(error)
        yield problem(check, about.message, about.hint)


def _print(finding: Finding) -> None:
    mark = (f"{finding.state:<9}", STYLES[finding.state])
    out.print(Text.assemble(mark, f"{finding.check:<12}", finding.message), soft_wrap=True)
    if finding.advice:
        say(out, f"{'':21}{finding.advice}")
