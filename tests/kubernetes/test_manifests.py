"""deploy/kubernetes: valid by the published schemas, and whatever a file names is there."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic_settings import BaseSettings

from predictor.settings import PredictorSettings
from shared.access.api_keys import KeyFile
from tests.kubernetes.rendering import (
    MANIFESTS,
    Resource,
    containers,
    documents,
    pods,
    rendered,
)
from tests.support.paths import ROOT
from trainer.settings import Settings

FOLDERS = [("example",), ("base", "components/gpu")]
"""Together all that there is."""
SECRETS = documents(MANIFESTS / "secrets.example.yaml")
KUBERNETES = ["1.32", kubernetes_validate.latest_version()]
"""The oldest that is promised, and the newest that can be checked."""

SETTINGS: dict[str, type[BaseSettings]] = {
    "readsmith-trainer": Settings,
    "readsmith-trainer-gpu": Settings,
    "readsmith-predictor": PredictorSettings,
}
"""What each image reads; the gateway's reads nothing."""

everything = pytest.mark.parametrize("folders", FOLDERS, ids="+".join)


def name_of(resource: Resource) -> str:
    return f"{resource['kind']}/{resource['metadata']['name']}"


def found(resources: list[Resource], kind: str) -> dict[str, Resource]:
    return {each["metadata"]["name"]: each for each in resources if each["kind"] == kind}


def image_of(container: Resource) -> str:
    """The image's name as the base has it."""
    return str(container["image"]).rpartition("/")[2].partition(":")[0]


def labels_of(resources: list[Resource]) -> list[dict[str, str]]:
    return [pod["metadata"]["labels"] for each in resources for pod in pods(each)]


def selects(selector: Resource, labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items()
    return wanted <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", [])
    )


def test_every_file_is_part_of_what_is_tested() -> None:
    whole = {name_of(each) for folders in FOLDERS for each in [*rendered(*folders), *SECRETS]}
    for file in MANIFESTS.rglob("*.yaml"):
        for each in documents(file):
            if isinstance(each, dict) and each["kind"] not in ("Kustomization", "Component"):
                assert name_of(each) in whole, file


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_resource_is_valid_by_the_published_schema(version: str) -> None:
    all_of_them = [*rendered("example"), *rendered("base", "components/gpu"), *SECRETS]
    for resource in {json.dumps(each) for each in all_of_them}:
        if '"kind": "RayCluster"' not in resource:  # KubeRay's own
            kubernetes_validate.validate(json.loads(resource), version, strict=True)


@everything
def test_kustomize_makes_the_same_of_it(folders: tuple[str, ...], tmp_path: Any) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl here")
    paths = [os.path.relpath(MANIFESTS / folder, tmp_path) for folder in folders]
    whole = {"resources": paths[:1], "components": paths[1:]}
    (tmp_path / "kustomization.yaml").write_text(json.dumps(whole))
    command = ["kubectl", "kustomize", str(tmp_path)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = {name_of(each): each for each in yaml.safe_load_all(made)}
    ours = {name_of(each): each for each in rendered(*folders)}
    assert ours == theirs


def variables(container: Resource, resources: list[Resource]) -> Iterator[tuple[str, str]]:
    """Yield what a container's environment is, by its maps and secrets."""
    maps, secrets = found(resources, "ConfigMap"), found(SECRETS, "Secret")
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            yield from maps[source["configMapRef"]["name"]]["data"].items()
        else:
            yield from secrets[source["secretRef"]["name"]]["stringData"].items()
    for variable in container.get("env", []):
        yield variable["name"], variable["value"]


def known(settings: type[BaseSettings]) -> set[str]:
    return {
        str(field.validation_alias or f"READSMITH_{name.upper()}")
        for name, field in settings.model_fields.items()
    }


@everything
def test_every_variable_is_a_setting_with_a_value_that_is_taken(
    folders: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = rendered(*folders)
    common = found(resources, "ConfigMap")["settings"]["data"].keys()
    assert common <= known(Settings) | known(PredictorSettings)
    for container in [each for resource in resources for each in containers(resource)]:
        environment = dict(variables(container, resources))
        own = {name for name in environment if name.startswith("READSMITH_")} - common
        settings = SETTINGS.get(image_of(container))
        if settings is None:
            assert not environment
            continue
        assert own <= known(settings), f"{container['name']} is given settings that it has not"
        with monkeypatch.context() as context:
            for name, value in environment.items():
                assert isinstance(value, str)
                context.setenv(name, value)
            settings()


@everything
def test_every_secret_map_and_volume_that_is_named_is_there(folders: tuple[str, ...]) -> None:
    resources = rendered(*folders)
    maps, secrets = found(resources, "ConfigMap"), found(SECRETS, "Secret")
    for pod in [pod for resource in resources for pod in pods(resource)]:
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for volume in volumes.values():
            assert volume.get("configMap", {"name": "settings"})["name"] in maps
            assert volume.get("secret", {"secretName": "keys"})["secretName"] in secrets
        mounted = [m["name"] for c in pod["spec"]["containers"] for m in c["volumeMounts"]]
        assert sorted(mounted) == sorted(volumes)


@everything
def test_services_budgets_and_scalers_mean_pods_that_are_there(folders: tuple[str, ...]) -> None:
    resources = rendered(*folders)
    all_labels = labels_of(resources)
    for service in found(resources, "Service").values():
        meant = [
            port["name"]
            for resource in resources
            for pod in pods(resource)
            if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
            for container in pod["spec"]["containers"]
            for port in container.get("ports", [])
        ]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(meant)
    for kind in ("PodDisruptionBudget", "Deployment"):
        for each in found(resources, kind).values():
            assert any(selects(each["spec"]["selector"], labels) for labels in all_labels)
    for scaler in found(resources, "HorizontalPodAutoscaler").values():
        scaled = found(resources, "Deployment")[scaler["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in scaled["spec"], "each kubectl apply would undo what was scaled"


@everything
def test_network_policies_mean_pods_and_ports_that_are_there(folders: tuple[str, ...]) -> None:
    resources = rendered(*folders)
    all_labels = labels_of(resources)
    services = found(resources, "Service").values()
    ports = {port["port"] for service in services for port in service["spec"]["ports"]}
    outside = {53, 80, 443, 5432, 9000, 10001}
    for name, policy in found(resources, "NetworkPolicy").items():
        rules = [*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])]
        peers = [peer for rule in rules for peer in rule.get("from", rule.get("to"))]
        meant = [
            policy["spec"]["podSelector"],
            *(p["podSelector"] for p in peers if "podSelector" in p),
        ]
        for selector in meant:
            assert any(selects(selector, labels) for labels in all_labels), f"{name}: {selector}"
        for rule in rules:
            assert {port["port"] for port in rule.get("ports", [])} <= ports | outside, name


@everything
def test_no_pod_is_root_writes_its_image_or_knows_the_cluster(folders: tuple[str, ...]) -> None:
    for pod in [pod for resource in rendered(*folders) for pod in pods(resource)]:
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


@everything
def test_images_users_and_folders_are_those_of_the_dockerfile(folders: tuple[str, ...]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = set(re.findall(r"(?m)^FROM \S+ AS (\S+)$", dockerfile))
    for resource in rendered(*folders):
        for container in containers(resource):
            stage = image_of(container).removeprefix("readsmith-").removesuffix("-gpu")
            assert stage in stages
        for pod in pods(resource):
            context = pod["spec"]["securityContext"]
            assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in dockerfile


@everything
def test_probes_ask_for_routes_and_ports_that_are_there(folders: tuple[str, ...]) -> None:
    for resource in rendered(*folders):
        for container in containers(resource):
            ports = {port["name"] for port in container.get("ports", [])}
            probes = [value for name, value in container.items() if name.endswith("Probe")]
            for probe in probes:
                way = probe.get("httpGet") or probe["tcpSocket"]
                assert way["port"] in ports
                assert way.get("path", "/healthz") in ("/healthz", "/readyz")
            assert bool(probes) == bool(ports), "what listens is probed"


def test_the_gateway_knows_the_services_by_their_names_in_the_cluster() -> None:
    resources = rendered("base")
    namespace = next(iter(found(resources, "Namespace")))
    addresses = found(resources, "ConfigMap")["gateway"]["data"]["services.conf"]
    for name, port in (("trainer", 8000), ("predictor", 8080)):
        assert f"default {name}.{namespace}.svc.cluster.local:{port};" in addresses
        assert found(resources, "Service")[name]["spec"]["clusterIP"] == "None"


def test_the_example_of_the_keys_is_a_file_of_keys(tmp_path: Any) -> None:
    file = tmp_path / "keys.json"
    file.write_text(found(SECRETS, "Secret")["keys"]["stringData"]["keys.json"])
    assert KeyFile(file).read() == ()


def ways_out(name: str) -> list[Resource]:
    """Whom the pods of this name may call, by the policies of the base."""
    return [
        peer
        for policy in found(rendered("base"), "NetworkPolicy").values()
        if selects(policy["spec"]["podSelector"], {"app.kubernetes.io/name": name})
        for rule in policy["spec"].get("egress", [])
        for peer in rule["to"]
    ]


def test_the_predictor_reaches_names_storage_and_gateway_and_nothing_else() -> None:
    labels = [
        next(iter(peer.values()))["matchLabels"] for peer in ways_out("predictor")
    ]  # addresses would have none
    assert sorted(map(str, labels)) == [
        "{'app.kubernetes.io/name': 'gateway'}",
        "{'kubernetes.io/metadata.name': 'kube-system'}",
        "{'readsmith-storage': 'true'}",
    ]


def test_the_predictor_reaches_the_gateways_port_for_corrections_alone() -> None:
    policies = found(rendered("base"), "NetworkPolicy")
    gateway = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}
    ports = [
        port["port"]
        for policy in policies.values()
        if selects(policy["spec"]["podSelector"], {"app.kubernetes.io/name": "predictor"})
        for rule in policy["spec"].get("egress", [])
        if gateway in rule["to"]
        for port in rule["ports"]
    ]
    predictor = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "predictor"}}}
    admitted = [
        port["port"]
        for rule in policies["gateway"]["spec"]["ingress"]
        if predictor in rule["from"]
        for port in rule["ports"]
    ]
    assert ports == admitted == [8001]


@pytest.mark.parametrize("name", ["trainer", "worker"])
def test_datasets_come_from_public_addresses_only(name: str) -> None:
    [web] = [peer["ipBlock"] for peer in ways_out(name) if "ipBlock" in peer]
    held_off = [ip_network(each) for each in web["except"]]
    for address in ("10.0.0.1", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"):
        assert any(ip_address(address) in network for network in held_off), address


def test_what_no_policy_names_goes_nowhere() -> None:
    nothing = found(rendered("base"), "NetworkPolicy")["nothing"]["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
