"""As much of kustomize as the manifests here use: resources from files and folders, patches laid over them."""

import copy

from tree import documents


def identity(resource):
    return resource["kind"], resource["metadata"]["name"]


def merged(base, patch):
    """A strategic merge: maps key by key, lists of named things by name, other values replaced."""
    if isinstance(base, dict) and isinstance(patch, dict):
        result = dict(base)
        for key, value in patch.items():
            result[key] = merged(base[key], value) if key in base else value
        return result
    is_named = isinstance(patch, list) and all(isinstance(item, dict) and "name" in item for item in patch)
    if is_named and isinstance(base, list):
        by_name = {item["name"]: item for item in base}
        for item in patch:
            by_name[item["name"]] = merged(by_name.get(item["name"], {}), item)
        return list(by_name.values())
    return copy.deepcopy(patch)


def build(folder):
    """The resources of a folder's kustomization."""
    kustomization = documents(folder / "kustomization.yaml")[0]
    assert kustomization["kind"] == "Kustomization"
    resources = {}
    for name in kustomization.get("resources", ()):
        path = folder / name
        for resource in build(path) if path.is_dir() else documents(path):
            assert identity(resource) not in resources, f"{path}: {identity(resource)} is there already"
            resources[identity(resource)] = resource
    for generator in kustomization.get("configMapGenerator", ()):
        data = {file.rsplit("/", 1)[1]: (folder / file).read_text() for file in generator["files"]}
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data}
        resources[identity(made)] = made
    for patch in kustomization.get("patches", ()):
        for change in documents(folder / patch["path"]):
            assert identity(change) in resources, f"{patch['path']} changes {identity(change)}, which is not there"
            resources[identity(change)] = merged(resources[identity(change)], change)
    return list(resources.values())
