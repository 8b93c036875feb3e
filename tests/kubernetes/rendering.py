"""What deploy/kubernetes becomes: as much of kustomize as its files use."""

from pathlib import Path
from typing import Any

import jsonpatch
import yaml

from tests.support.paths import ROOT

MANIFESTS = ROOT / "deploy" / "kubernetes"

KNOWN = {"apiVersion", "kind", "namespace", "resources", "components", "images", "patches"}
WITHOUT_NAMESPACE = {"Namespace"}

Resource = dict[str, Any]


def documents(file: Path) -> list[Resource]:
    """Return the resources of one file."""
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def rendered(*folders: str) -> list[Resource]:
    """Return the resources of a folder, with those and the changes of components after it."""
    resources: list[Resource] = []
    for folder in folders:
        resources = _apply(MANIFESTS / folder, resources)
    return resources


def _apply(folder: Path, resources: list[Resource]) -> list[Resource]:
    """Add and change what a folder's kustomization says."""
    [what] = documents(folder / "kustomization.yaml")
    assert what.keys() <= KNOWN, f"{folder} uses what this cannot render"
    for name in what.get("resources", []):
        path = (folder / name).resolve()
        resources = _apply(path, resources) if path.is_dir() else [*resources, *documents(path)]
    for name in what.get("components", []):
        resources = _apply((folder / name).resolve(), resources)
    for patch in what.get("patches", []):
        resources = _patched(
            resources, patch["target"], yaml.safe_load((folder / patch["path"]).read_text())
        )
    for resource in resources:
        if "namespace" in what and resource["kind"] not in WITHOUT_NAMESPACE:
            resource["metadata"]["namespace"] = what["namespace"]
        for container in containers(resource):
            for image in what.get("images", []):
                if container["image"] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    return resources


def _patched(resources: list[Resource], target: Resource, patch: Any) -> list[Resource]:
    def meant(resource: Resource) -> bool:
        return (resource["kind"], resource["metadata"]["name"]) == (target["kind"], target["name"])

    assert any(map(meant, resources)), f"nothing is {target}"
    return [jsonpatch.apply_patch(each, patch) if meant(each) else each for each in resources]


def pods(resource: Resource) -> list[Resource]:
    """Return the pod templates of a resource."""
    spec = resource.get("spec", {})
    if resource["kind"] == "RayCluster":
        groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
        return [group["template"] for group in groups]
    return [spec["template"]] if "template" in spec else []


def containers(resource: Resource) -> list[Resource]:
    """Return the containers of a resource's pods."""
    return [each for pod in pods(resource) for each in pod["spec"]["containers"]]
