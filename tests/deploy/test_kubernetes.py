"""The manifests: valid against Kubernetes' schemas, and in step with each other and with the programs."""

import os
import re
import subprocess
import sys

import pytest
import yaml

import kustomize
from tree import DEPLOY, check

OVERLAYS = sorted((DEPLOY / "kubernetes" / "overlays").iterdir())
KUBERNETES_VERSIONS = ("1.29", "1.34")
# Kinds that operators bring: no schema lies here, so their required fields are named.
CUSTOM = {
    "ServiceMonitor": ("spec.selector", "spec.endpoints"),
    "ScaledObject": ("spec.scaleTargetRef.name", "spec.triggers"),
    "ResourceFlavor": ("spec.nodeLabels",),
    "ClusterQueue": ("spec.resourceGroups", "spec.namespaceSelector"),
    "LocalQueue": ("spec.clusterQueue",),
}


# What may be added to each of them.
COMPONENTS = ((), ("tls",), ("stores",), ("tls", "stores"))


@pytest.fixture(params=[(overlay, components) for overlay in OVERLAYS for components in COMPONENTS],
                ids=lambda param: "-".join([param[0].name, *param[1]]))
def resources(request):
    overlay, components = request.param
    built = kustomize.build(overlay)
    for component in components:
        built = kustomize.build(DEPLOY / "kubernetes" / "components" / component, built)
    return built


def pod_specs(resources):
    for resource in resources:
        if resource["kind"] in ("Deployment", "StatefulSet"):
            yield resource["metadata"]["name"], resource["spec"]["template"]


def test_schemas(resources, tmp_path):
    known = [resource for resource in resources if resource["kind"] not in CUSTOM]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(known))
    for version in KUBERNETES_VERSIONS:
        said = check(os.path.join(os.path.dirname(sys.executable), "kubernetes-validate"), "--strict",
                     "--kubernetes-version", version, tmp_path / "all.yaml")
        assert "WARN" not in said and "ERROR" not in said, said


def test_fields_of_custom_resources(resources):
    for resource in resources:
        for path in CUSTOM.get(resource["kind"], ()):
            value = resource
            for key in path.split("."):
                assert key in value, f"{resource['kind']} lacks {path}"
                value = value[key]
            assert value or path == "spec.selector"


def selected(resource):
    """The labels that a resource selects pods by, or nothing."""
    selector = resource.get("spec", {}).get("selector", {})
    return selector if resource["kind"] == "Service" else selector.get("matchLabels", {})


def test_selectors_find_their_pods(resources):
    pods = {name: template["metadata"]["labels"] for name, template in pod_specs(resources)}
    for resource in resources:
        wanted = selected(resource).items()
        assert any(wanted <= labels.items() for labels in pods.values()), kustomize.identity(resource)
        if resource["kind"] == "ScaledObject":
            assert resource["spec"]["scaleTargetRef"]["name"] in pods


def test_every_pod_has_a_budget_a_policy_and_a_monitor(resources):
    for name, template in pod_specs(resources):
        label = template["metadata"]["labels"]["app.kubernetes.io/name"]
        for kind in ("PodDisruptionBudget", "NetworkPolicy"):
            key = "selector" if kind == "PodDisruptionBudget" else "podSelector"
            assert any(resource["kind"] == kind and
                       resource["spec"][key].get("matchLabels", {}).get("app.kubernetes.io/name") == label
                       for resource in resources), f"{name} has no {kind}"
        monitors = [expression for resource in resources if resource["kind"] == "ServiceMonitor"
                    for expression in resource["spec"]["selector"]["matchExpressions"]]
        assert any(label in expression["values"] for expression in monitors)


def test_pods_are_hardened_and_drain(resources):
    for name, template in pod_specs(resources):
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] and security["capabilities"]["drop"] == ["ALL"], name
            assert not security["allowPrivilegeEscalation"]
            assert "preStop" in container["lifecycle"] and "livenessProbe" in container
            assert container["resources"]["limits"]["memory"]


def test_flags_are_known(resources):
    for _, template in pod_specs(resources):
        for container in template["spec"]["containers"]:
            said = subprocess.run([f"{os.environ['SASQ_BIN_DIR']}/{container['name']}", "--help"], capture_output=True,
                                  text=True, check=True).stdout
            flags = {argument.split("=")[0] for argument in container["args"]}
            assert flags <= set(re.findall(r"--[a-z_]+", said)), flags


def test_mounts_have_their_volumes(resources):
    for resource in resources:
        if resource["kind"] not in ("Deployment", "StatefulSet"):
            continue
        pod = resource["spec"]["template"]["spec"]
        claims = [claim["metadata"]["name"] for claim in resource["spec"].get("volumeClaimTemplates", ())]
        volumes = {volume["name"] for volume in pod["volumes"]} | set(claims)
        mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        assert set(mounts) == volumes
        for argument in pod["containers"][0]["args"]:
            path = argument.partition("=")[2]
            if path.startswith("/"):
                assert any(path == mount or path.startswith(mount + "/") for mount in mounts.values()), argument


def test_gpu_workers_ask_for_a_gpu():
    for overlay in ("gpu", "kueue"):
        pods = dict(pod_specs(kustomize.build(DEPLOY / "kubernetes" / "overlays" / overlay)))
        worker = pods["sasq-worker"]["spec"]
        assert worker["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert worker["nodeSelector"] and worker["tolerations"]
        assert worker["containers"][0]["args"], "the patch keeps what the base says"


def test_kueue_queues_are_connected():
    resources = {kustomize.identity(one): one for one in kustomize.build(DEPLOY / "kubernetes" / "overlays" / "kueue")}
    queue = resources["LocalQueue", "sasq"]
    cluster = resources["ClusterQueue", queue["spec"]["clusterQueue"]]
    for group in cluster["spec"]["resourceGroups"]:
        for flavor in group["flavors"]:
            assert ("ResourceFlavor", flavor["name"]) in resources
            assert [one["name"] for one in flavor["resources"]] == group["coveredResources"]
    label = resources["Deployment", "sasq-worker"]["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]
    assert ("LocalQueue", label) in resources
