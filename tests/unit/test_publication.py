"""What is needed to publish the project: licence, bill of materials, workflows, templates."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from predictor.api.openapi.document import description as predictor_description
from shared import __version__
from tests.support.api.openapi import trainer_description
from tests.support.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(workflow: str) -> str:
    """Return what the steps of a workflow run."""
    jobs: dict[str, Any] = yaml.safe_load(text(f".github/workflows/{workflow}.yml"))["jobs"]
    return "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])


def test_the_licence_is_the_whole_apache_licence() -> None:
    licence = text("LICENSE")

    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def test_the_notice_names_files_that_are_there_and_where_fonts_and_data_are_from() -> None:
    notice = text("NOTICE")

    for path in re.findall(r"(?:trainer|shared|docs)/[\w/.-]*[\w/]", notice):
        assert (ROOT / path).exists(), path
    for name in ("swagger-ui-dist 5.35.0", "texlive-fonts-extra", "Captcha Images V2"):
        assert name in notice


def test_every_interface_and_command_tells_the_one_version() -> None:
    assert trainer_description()["info"]["version"] == __version__
    assert predictor_description()["info"]["version"] == __version__
    assert 'dynamic = ["version"]' in text("pyproject.toml")


def test_the_bill_of_materials_holds_every_pinned_package_with_its_hashes() -> None:
    lock = text("requirements.lock")
    command = [sys.executable, ".ci/sbom.py", "requirements.lock"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    bill = json.loads(made)

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["version"] == __version__
    pins = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", lock, re.MULTILINE)
    assert [(each["name"], each["version"]) for each in bill["components"]] == pins
    hashes = [
        each["value"]
        for component in bill["components"]
        for each in component["properties"]
        if each["name"] == "readsmith:sha256"
    ]
    assert hashes == re.findall(r"sha256:([0-9a-f]{64})", lock)


def test_a_line_without_a_version_is_no_bill() -> None:
    code = "from runpy import run_path; run_path('.ci/sbom.py')['bill']('numpy>=2\\n', '1')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "not a pinned package: 'numpy>=2'" in done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_no_more_than_it_says(path: Any) -> None:
    workflow = yaml.safe_load(path.read_text())

    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 180
        assert any(step.get("uses", "").startswith("actions/checkout@") for step in job["steps"])


def test_the_checks_are_those_of_the_repository() -> None:
    assert commands("checks") == "\n\n.ci/run"


def test_the_release_builds_every_image_for_both_processors_on_a_pinned_python() -> None:
    release = yaml.safe_load(text(".github/workflows/release.yml"))["jobs"]
    dockerfile = text("Dockerfile")
    images = release["images"]
    [build] = [step["with"] for step in images["steps"] if "build-push" in step.get("uses", "")]

    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert set(images["strategy"]["matrix"]["target"]) == set(
        re.findall(r"(?m)^FROM \S+ AS (\S+)$", dockerfile)
    ) - {"python"}
    assert build["build-args"] == "PYTHON_IMAGE=${{ env.PYTHON_IMAGE }}"
    default = re.search(r"(?m)^ARG PYTHON_IMAGE=(\S+)$", dockerfile)
    assert default is not None
    assert f"PYTHON_IMAGE={default[1]}@$digest" in commands("release")
    assert "FROM $PYTHON_IMAGE AS python" in dockerfile


def test_the_release_makes_targets_that_exist_of_a_tag_that_names_the_version() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    made = re.findall(r"^make ([a-z .-]+)$", commands("release"), re.MULTILINE)

    assert {"package", "sbom"} <= set(" ".join(made).split()) & targets
    assert "shared.__version__" in commands("release")


def test_problems_are_reported_in_private_and_to_no_invented_address() -> None:
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md"):
        assert "**Report a vulnerability**" in text(name)
        assert not re.search(r"[\w.]+@[\w-]+\.\w+", text(name))


def test_the_forms_of_issues_ask_for_what_is_needed() -> None:
    form = yaml.safe_load(text(".github/ISSUE_TEMPLATE/bug.yml"))
    asked = {each["id"] for each in form["body"] if each.get("validations", {}).get("required")}

    assert asked == {"what", "how", "doctor", "version"}


def test_the_changelog_has_its_form() -> None:
    headings = re.findall(r"^##+ .*$", text("CHANGELOG.md"), re.MULTILINE)

    assert headings[0] == "## [Unreleased]"
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for heading in headings:
        assert re.fullmatch(
            rf"### ({'|'.join(kinds)})|## \[(Unreleased|\d+\.\d+\.\d+\] - \d{{4}}-\d\d-\d\d)\]?",
            heading,
        ), heading
