"""What is in the clouds: `identity` (users, services, endpoints), `resources` (network, flavor, image). Idempotent.

Runs in OpenStack's own environment, as a program: python -m tests.openstack.bed.seed identity|resources.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.openstack.bed.model import (
    GLANCE_PORT,
    NEUTRON_PORT,
    NOVA_PORT,
    PASSWORD,
    PHYSICAL_NETWORK,
    PLACEMENT_PORT,
    PUBLIC_ADDRESS,
    PUBLIC_CIDR,
    REGION,
)
from tests.openstack.bed.process import Processes

ROOT = Path(__file__).parents[3]
ADMIN = "haos-openstack-admin"
DOMAIN = "default"
SERVICE_USERS = ("neutron", "nova", "placement", "glance")
USERS = {
    "ha-user": ("ha", ("member", "reader")),
    "ha-reader": ("ha", ("reader",)),
    "other-user": ("other", ("member", "reader")),
}
"""user -> project and roles"""
SERVICES = {
    "network": ("neutron", f"http://127.0.0.1:{NEUTRON_PORT}"),
    "compute": ("nova", f"http://127.0.0.1:{NOVA_PORT}/v2.1"),
    "placement": ("placement", f"http://127.0.0.1:{PLACEMENT_PORT}"),
    "image": ("glance", f"http://127.0.0.1:{GLANCE_PORT}"),
}
"""type -> name and address"""
PUBLIC, FLAVOR, IMAGE = "public", "m1.tiny", "fake"


def run(processes: Processes, clouds: Path, what: str) -> None:
    """Run one part in OpenStack's environment and the control namespace."""
    env = {"PYTHONPATH": str(ROOT), "OS_CLIENT_CONFIG_FILE": str(clouds)}
    processes.run(["python", "-m", "tests.openstack.bed.seed", what], log=f"seed-{what}", env=env)


def identity(cloud: Any) -> None:
    """Make projects, users, services and endpoints."""
    keystone = cloud.identity
    roles = {role.name: role for role in keystone.roles()}
    if "service" not in roles:
        roles["service"] = keystone.create_role(name="service")
    accounts = {name: ("service", ("admin", "service")) for name in SERVICE_USERS} | USERS
    for name, (project_name, role_names) in accounts.items():
        project = keystone.find_project(project_name, domain_id=DOMAIN)
        project = project or keystone.create_project(name=project_name, domain_id=DOMAIN)
        user = keystone.find_user(name, domain_id=DOMAIN) or keystone.create_user(
            name=name, domain_id=DOMAIN, password=PASSWORD, default_project_id=project.id
        )
        for role in role_names:
            keystone.assign_project_role_to_user(project, user, roles[role])
    have = {service.type for service in keystone.services()}
    for kind, (name, url) in SERVICES.items():
        if kind not in have:
            service = keystone.create_service(type=kind, name=name)
            for interface in ("public", "internal", "admin"):
                keystone.create_endpoint(service_id=service.id, interface=interface, url=url, region_id=REGION)


def resources(cloud: Any) -> None:
    """Make the external network, a flavor and an image; everything else is for those who use the bed."""
    neutron = cloud.network
    public = neutron.find_network(PUBLIC) or neutron.create_network(
        name=PUBLIC, provider_network_type="flat", provider_physical_network=PHYSICAL_NETWORK,
        is_router_external=True, port_security_enabled=False,
    )  # fmt: skip
    if not public.subnet_ids:
        neutron.create_subnet(
            name=f"{PUBLIC}-subnet", network_id=public.id, ip_version=4, cidr=PUBLIC_CIDR, enable_dhcp=False,
            gateway_ip=PUBLIC_ADDRESS, allocation_pools=[{"start": "172.24.4.10", "end": "172.24.4.200"}],
        )  # fmt: skip
    if not cloud.compute.find_flavor(FLAVOR):
        # Nova refuses images on a flavor without a disk.
        cloud.compute.create_flavor(name=FLAVOR, ram=64, vcpus=1, disk=1)
    if not cloud.image.find_image(IMAGE):
        cloud.image.create_image(
            name=IMAGE, data=b"\0" * 1024, disk_format="raw", container_format="bare", visibility="public",
        )  # fmt: skip


def main() -> None:
    """Make the part that is named."""
    import openstack

    part = {"identity": identity, "resources": resources}[sys.argv[1]]
    part(openstack.connect(cloud=ADMIN))


if __name__ == "__main__":
    main()
