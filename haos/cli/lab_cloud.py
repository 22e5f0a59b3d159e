"""Lets `--os-cloud haos-lab` work with no other option: a running lab's clouds.yaml is found by the lab's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def chosen_cloud(openstack: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Return the cloud that --os-cloud or OS_CLOUD names."""
    for index, argument in enumerate(openstack):
        if argument.startswith("--os-cloud="):
            return argument.partition("=")[2]
        if argument == "--os-cloud" and index + 1 < len(openstack):
            return openstack[index + 1]
    return environ.get("OS_CLOUD")


def lab_config_files(openstack: Sequence[str], environ: Mapping[str, str]) -> list[Path] | None:
    """Return the clouds.yaml of the running lab of that name; None where the user's own files are to be searched.

    A cloud of the user's own that has the same name goes first: haos does not hide what is his.
    """
    name = chosen_cloud(openstack, environ)
    if name is None or "OS_CLIENT_CONFIG_FILE" in environ or _is_users_own(name):
        return None
    from haos.lab.control import clouds_yaml

    found = clouds_yaml(name)
    return [found] if found else None


def _is_users_own(name: str) -> bool:
    from openstack.config import OpenStackConfig

    return name in OpenStackConfig(load_envvars=False).get_cloud_names()
