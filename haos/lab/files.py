"""The files that a running lab offers to haos, ssh and the openstack client."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from haos.lab.api import CREDENTIAL, PASSWORD
from haos.lab.api.catalog import REGION
from haos.lab.paths import LabPaths

LOGIN = "debian"
PROJECTS = {"": ("demo", "demo"), "-admin": ("admin", "admin"), "-other": ("other", "other")}
CREDENTIAL_SUFFIX = "-credential"
CLOUD_SUFFIXES = (*PROJECTS, CREDENTIAL_SUFFIX)


def write_atomically(path: Path, text: str) -> None:
    """Replace a file as a whole; nobody but the owner may read it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(name, path)


def clouds_yaml(paths: LabPaths, url: str) -> str:
    """Describe the lab's cloud as its ordinary user, as others, and with an application credential."""
    clouds = {
        f"{paths.name}{suffix}": _cloud(paths, "password", {"auth_url": f"{url}/identity/v3", **_password(*who)})
        for suffix, who in PROJECTS.items()
    }
    credential = {
        "auth_url": f"{url}/identity/v3",
        "application_credential_id": CREDENTIAL.id,
        "application_credential_secret": CREDENTIAL.secret,
    }
    clouds[f"{paths.name}{CREDENTIAL_SUFFIX}"] = _cloud(paths, "v3applicationcredential", credential)
    return "# Written by haos lab up; goes with the lab.\n" + _yaml({"clouds": clouds})


def _password(user: str, project: str) -> dict[str, object]:
    return {
        "username": user,
        "password": PASSWORD,
        "project_name": project,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }


def _cloud(paths: LabPaths, auth_type: str, auth: Mapping[str, object]) -> dict[str, object]:
    return {
        "auth_type": auth_type,
        "auth": auth,
        "region_name": REGION,
        "identity_api_version": 3,
        "haos": {"ssh_config": str(paths.ssh_config), "ssh_user": LOGIN},
    }


def _yaml(tree: Mapping[str, object], indent: str = "") -> str:
    lines = []
    for key, value in tree.items():
        if isinstance(value, dict):
            lines.append(f"{indent}{key}:\n{_yaml(value, indent + '  ')}")
        else:
            lines.append(f"{indent}{key}: {json.dumps(value)}\n")  # JSON's scalars are YAML's
    return "".join(lines)


def ssh_config(paths: LabPaths, prefix: str, port: int) -> str:
    """Say how ssh reaches the floating addresses; trust in host keys is left to whoever connects."""
    return (
        f"Host {prefix}.*\n"
        f"    User {LOGIN}\n"
        f'    IdentityFile "{paths.key}"\n'
        "    IdentitiesOnly yes\n"
        f"    Port {port}\n"
        # Nothing here is worth recording for a quantum computer to come, and guarding against that takes far longer.
        "    KexAlgorithms curve25519-sha256\n"
    )


def known_hosts(keys: dict[str, str]) -> str:
    """List the host keys by instance id."""
    return "".join(f"{guest_id} {' '.join(key.split()[:2])}\n" for guest_id, key in keys.items())
