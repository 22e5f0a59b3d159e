"""The services of the control namespace: what each runs, and how it is seen to answer."""

from __future__ import annotations

import http.client
from pathlib import Path

from tests.openstack.bed import backends, config
from tests.openstack.bed.config import Ini, Places
from tests.openstack.bed.model import (
    GLANCE_PORT,
    HYPERVISORS,
    KEYSTONE_PORT,
    KEYSTONE_URL,
    NEUTRON_PORT,
    NOVA_PORT,
    PASSWORD,
    PLACEMENT_PORT,
    REGION,
    Backend,
    Bed,
)
from tests.openstack.bed.process import Daemon, Processes

ANSWER_S = 120.0
UWSGI = (
    "uwsgi", "--need-app", "--enable-threads", "--die-on-term", "--threads", "4", "--processes", "1", "--lazy-apps",
    "--buffer-size", "65535", "--add-header", "Connection:close", "--thunder-lock", "--disable-logging",
)  # fmt: skip
PORTS = {
    "keystone": KEYSTONE_PORT,
    "placement": PLACEMENT_PORT,
    "glance": GLANCE_PORT,
    "neutron": NEUTRON_PORT,
    "nova-api": NOVA_PORT,
}
"""service -> where it listens on the control namespace's loopback"""
CLOUDS = {
    "haos-openstack": ("ha-user", "ha"),
    "haos-openstack-reader": ("ha-reader", "ha"),
    "haos-openstack-other": ("other-user", "other"),
    "haos-openstack-admin": ("admin", "admin"),
}
"""cloud -> its user and project"""


def files(at: Places, backend: Backend) -> dict[Path, Ini]:
    """Return every configuration file."""
    found: dict[Path, Ini] = {
        at.etc / "keystone/keystone.conf": config.keystone(at),
        at.etc / "placement/placement.conf": config.placement(at),
        at.etc / "glance/glance-api.conf": config.glance(at),
        at.etc / "nova/nova.conf": config.nova(at),
        at.etc / "neutron/neutron.conf": backends.server(at, backend),
        at.etc / "neutron/ml2_conf.ini": backends.ml2(backend),
    }
    for each in HYPERVISORS:
        found[at.etc / f"nova/{each.host}.conf"] = config.nova_compute(at, each)
        if backend == "ovs":
            found[at.etc / f"neutron/{each.host}.conf"] = backends.switch_agent(at, each)
    return found


def write(bed: Bed, at: Places, backend: Backend) -> None:
    """Write every configuration file, and clouds.yaml."""
    for path, ini in files(at, backend).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(config.render(ini))
    for name in ("lock", "nova", "nova1", "nova2", "neutron", "neutron1/lock", "neutron2/lock", "keystone"):
        (at.var / name).mkdir(parents=True, exist_ok=True)
    for name in ("images", "staging", "tasks"):
        (at.var / "glance" / name).mkdir(parents=True, exist_ok=True)
    bed.clouds.write_text(clouds_yaml())


def clouds_yaml() -> str:
    """Return clouds.yaml."""
    text = "clouds:\n"
    for cloud, (user, project) in CLOUDS.items():
        text += f"""\
  {cloud}:
    auth:
      auth_url: {KEYSTONE_URL}
      username: {user}
      password: {PASSWORD}
      project_name: {project}
      user_domain_name: Default
      project_domain_name: Default
    region_name: {REGION}
    identity_api_version: 3
"""
    return text


def keystone(at: Places) -> Daemon:
    """Return Keystone."""
    argv = (
        *UWSGI,
        "--http-socket",
        f"127.0.0.1:{KEYSTONE_PORT}",
        "--wsgi-file",
        f"{at.env}/bin/keystone-wsgi-public",
    )
    return Daemon("keystone", argv, env={"OS_KEYSTONE_CONFIG_DIR": str(at.etc / "keystone")})


def placement(at: Places) -> Daemon:
    """Return Placement."""
    argv = (*UWSGI, "--http-socket", f"127.0.0.1:{PLACEMENT_PORT}", "--module", "placement.wsgi.api:application")
    return Daemon("placement", argv, env={"OS_PLACEMENT_CONFIG_DIR": str(at.etc / "placement")})


def glance(at: Places) -> Daemon:
    """Return Glance."""
    return Daemon("glance", ("glance-api", "--config-file", str(at.etc / "glance/glance-api.conf")))


def neutron(at: Places) -> Daemon:
    """Return Neutron's server."""
    etc = at.etc / "neutron"
    argv = ("neutron-server", "--config-file", str(etc / "neutron.conf"), "--config-file", str(etc / "ml2_conf.ini"))
    return Daemon("neutron", argv)


def nova(at: Places, program: str) -> Daemon:
    """Return one of Nova's services in the control namespace."""
    return Daemon(program, (program, "--config-file", str(at.etc / "nova/nova.conf")))


def nova_api(at: Places) -> Daemon:
    """Return Nova's API."""
    return Daemon("nova-api", nova(at, "nova-api-os-compute").argv)


def nova_computes(at: Places) -> list[Daemon]:
    """Return one nova-compute for each hypervisor."""
    base = nova(at, "nova-compute").argv
    return [
        Daemon(f"nova-compute{each.number}", (*base, "--config-file", str(at.etc / f"nova/{each.host}.conf")))
        for each in HYPERVISORS
    ]


def wait(processes: Processes, *names: str) -> None:
    """Wait, in the control namespace, until these services answer."""
    for name in names:
        processes.wait(f"{name} answers", lambda port=PORTS[name]: answers(port), ANSWER_S, daemon=name)  # type: ignore[misc]


def answers(port: int) -> bool:
    """Tell whether something speaks HTTP there; what it says is of no account."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
