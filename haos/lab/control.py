"""Start, stop and ask labs: what the command line and the tests use."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from haos.lab import cgroups, claims, daemon, image, requirements
from haos.lab.asking import request
from haos.lab.claims import Claim
from haos.lab.errors import LabError
from haos.lab.files import CLOUD_SUFFIXES, LOGIN
from haos.lab.locks import locked
from haos.lab.model import FabricKind, SwitchSettings
from haos.lab.namespaces import environment as program_environment
from haos.lab.namespaces import python
from haos.lab.paths import NAME, LabPaths, cache_dir, labs_dir
from haos.lab.status import InstanceStatus, LabStatus, read_status
from haos.lab.waiting import await_login, await_ready
from haos.lab.wire import encode

__all__ = [
    "InstanceStatus",
    "LabStatus",
    "add_instance",
    "add_network",
    "add_subnet",
    "clouds_yaml",
    "cut_port",
    "down",
    "environment",
    "lab_request",
    "ssh_argv",
    "status",
    "up",
]

DEFAULT = "haos-lab"
LOGIN_S = 60.0
GROUP = "ssh-icmp"  # the seeded security group that lets ssh in


def up(
    name: str = DEFAULT,
    *,
    fabric: str = "ovs",
    delay_s: float = SwitchSettings.delay_s,
    arp_cache_s: float = SwitchSettings.arp_cache_s,
    install: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> LabStatus:
    """Start a lab and wait until every instance answers; one that runs already is left alone."""
    paths = LabPaths(name)
    _check_folder()
    if _running(paths) is None:
        requirements.check(install=install, progress=progress, kind=FabricKind(fabric))
        image.ensure(progress, claims.images_in_use)
    labs_dir().mkdir(parents=True, exist_ok=True)
    with locked(labs_dir()):
        if _running(paths) is not None:
            progress(f"the lab {name} is running already")
            return read_status(paths, _claim(paths))
        progress(f"starting the lab {name}")
        claims.sweep(paths)
        _start(paths, image.image_root(), SwitchSettings(FabricKind(fabric), delay_s, arp_cache_s))
    await_login(paths, _claim(paths), LOGIN_S)
    return read_status(paths, _claim(paths))


def down(name: str = DEFAULT) -> None:
    """Stop a lab and remove all of it; one that was killed is cleaned up, and no lab at all is fine."""
    if labs_dir().exists():
        with locked(labs_dir()):
            claims.sweep(LabPaths(name))


def status(name: str = DEFAULT) -> LabStatus:
    """Return what a running lab does; raises LabError if it does not run."""
    paths = LabPaths(name)
    return read_status(paths, _claim(paths))


def clouds_yaml(name: str = DEFAULT) -> Path | None:
    """Return the clouds.yaml of the running lab that has a cloud of this name; None if there is none."""
    for suffix in CLOUD_SUFFIXES:
        lab = name.removesuffix(suffix)
        if name == lab + suffix and NAME.fullmatch(lab) and _running(LabPaths(lab)) is not None:
            return LabPaths(lab).clouds_yaml
    return None


def environment(name: str = DEFAULT) -> dict[str, str]:
    """Return the variables that point an openstack client at a running lab."""
    paths = LabPaths(name)
    _claim(paths)
    return {"OS_CLIENT_CONFIG_FILE": str(paths.clouds_yaml), "OS_CLOUD": name}


def ssh_argv(name: str, node: str, command: Sequence[str] = ()) -> list[str]:
    """Return the ssh command that logs in to an instance, its real host key checked.

    One word is a shell command, as for ssh; several are one command's words, whatever they hold.
    """
    paths = LabPaths(name)
    found = _instance(status(name), node)
    if not found.floating:
        raise LabError(f"{node} has no floating IP", hint=_way_in(found))
    options = {
        "UserKnownHostsFile": f'"{paths.known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": found.id,
        "StrictHostKeyChecking": "yes",
    }
    words = [word for option, value in options.items() for word in ("-o", f"{option}={value}")]
    line = list(command) if len(command) < 2 else [shlex.join(command)]
    return ["ssh", "-F", str(paths.ssh_config), *words, f"{LOGIN}@{found.floating[0]}", "--", *line]


def lab_request(name: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Send an administrative request (/lab/…) and return what was answered, None for nothing."""
    return request(f"{status(name).url}{path}", method, body)


def add_network(name: str, network: str, *, cidr: str, routed: bool = True) -> None:
    """Make a network with one subnet, joined to the lab's router unless it is to stand alone."""
    lab_request(name, "POST", "/lab/networks", {"name": network, "cidr": cidr, "router": routed})


def add_subnet(name: str, network: str, *, cidr: str) -> None:
    """Give a network another subnet, joined to the lab's router if the network is."""
    lab_request(name, "POST", "/lab/subnets", {"network": network, "cidr": cidr})


def cut_port(name: str, port_id: str, *, dark: bool) -> None:
    """Lose all frames of a port, both ways, or let them pass again: a cable cut, of which Neutron knows nothing."""
    lab_request(name, "PUT", f"/lab/ports/{port_id}", {"dark": dark})


def add_instance(
    name: str,
    instance: str,
    *,
    networks: Sequence[str] = ("ha_lab",),
    address: str | None = None,
) -> InstanceStatus:
    """Boot another instance and wait until it answers.

    It has a floating IP for its first address that can have one. If none can (IPv6, no router), it is waited for
    until its console shows its host keys.
    """
    paths = LabPaths(name)
    first: dict[str, Any] = {"network": networks[0]}
    if address:
        first["address"] = address
    body = {"name": instance, "networks": [first, *networks[1:]], "groups": [GROUP], "floating": True}
    made = lab_request(name, "POST", "/lab/instances", body)["instance"]["id"]
    await_login(paths, _claim(paths), LOGIN_S, only=made)
    return next(each for each in status(name).instances if each.id == made)


def _check_folder() -> None:
    """Raise LabError where the lab could not keep its files."""
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache_dir()):
            return
    except OSError as error:
        raise LabError(
            f"the lab cannot keep its files in {cache_dir()}: {error.strerror}",
            hint="set XDG_CACHE_HOME to a directory that can be written",
        ) from error


def _running(paths: LabPaths) -> Claim | None:
    claim = claims.read(paths)
    return claim if claim is not None and claim.is_alive() else None


def _claim(paths: LabPaths) -> Claim:
    claim = _running(paths)
    if claim is None:
        option = "" if paths.name == DEFAULT else f" --name {paths.name}"
        raise LabError(f"the lab {paths.name} does not run", hint=f"haos lab up{option}")
    return claim


def _start(paths: LabPaths, root: Path, switch: SwitchSettings) -> None:
    paths.run.mkdir(mode=0o700)
    preferred = claims.PREFIXES[0 if paths.name == DEFAULT else 1]
    prefix, port = claims.choose_floating(preferred)
    group = cgroups.parent() / f"haos-{paths.name}-{secrets.token_hex(3)}"
    claim = Claim(str(group), str(root), prefix, port, switch.kind)
    claims.write(paths, claim)
    cgroups.make(group)
    settings = daemon.Settings(paths.name, prefix, port, switch, str(root), str(group))
    reading, writing = os.pipe()
    with os.fdopen(reading) as ready:
        with os.fdopen(writing, "w"), paths.daemon_log.open("w") as log:
            process = subprocess.Popen(
                python("haos.lab.daemon", str(writing), json.dumps(encode(settings))),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writing],
                start_new_session=True, cwd="/", env=program_environment(),
            )  # fmt: skip
        process.returncode = 0  # it outlives us: no warning about that, please
        claims.write(paths, replace(claim, pid=process.pid, started=claims.start_ticks(process.pid) or 0))
        await_ready(ready, paths)


def _instance(lab: LabStatus, node: str) -> InstanceStatus:
    found = [each for each in lab.instances if node in (each.name, each.id)]
    if len(found) != 1:
        names = ", ".join(each.name for each in lab.instances)
        raise LabError(f"{'several instances are' if found else 'no instance is'} called {node}: there are {names}")
    return found[0]


def _way_in(instance: InstanceStatus) -> str:
    """Say how to reach an instance that has no floating IP."""
    if any(address.version == 4 for address in instance.addresses):
        return f"openstack server add floating ip {shlex.quote(instance.name)} …"
    return "it has no IPv4 address that could have one: ssh -J through an instance that shares a network with it"
