"""What the services are told: each file whole, and the same names and addresses wherever two must agree."""

from __future__ import annotations

import configparser
from ipaddress import ip_interface
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml  # type: ignore[import-untyped]

from tests.openstack.bed import backends, broker, config, database, namespaces, ovn, seed, services
from tests.openstack.bed.config import Places
from tests.openstack.bed.model import (
    BACKENDS,
    BROKER_PORT,
    HYPERVISORS,
    MANAGEMENT_ADDRESS,
    PHYSICAL_NETWORK,
    Backend,
    HypervisorPlace,
)

AT = Places(Path("/state/etc"), Path("/state/var"), Path("/env"))


def read(ini: config.Ini) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(config.render(ini))
    return parser


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_database_and_account_of_the_files_is_created(backend: Backend) -> None:
    created = "".join(database.create_statements())
    found = [
        urlsplit(parser[section]["connection"])
        for parser in map(read, services.files(AT, backend).values())
        for section in parser.sections() if "connection" in parser[section]
    ]  # fmt: skip
    assert len(found) == 6  # Nova has two
    for url in found:
        assert f"GRANT ALL ON {url.path[1:]}.* TO '{url.username}'@'127.0.0.1';" in created


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_service_logs_in_as_a_user_that_is_seeded(backend: Backend) -> None:
    for path, ini in services.files(AT, backend).items():
        for section in map(dict, read(ini).values()):
            if "username" in section:
                assert section["username"] in seed.SERVICE_USERS, path


def test_the_hosts_of_nova_are_those_of_the_agents_and_of_ovn() -> None:
    for each in HYPERVISORS:
        assert read(config.nova_compute(AT, each))["DEFAULT"]["host"] == each.host
        assert read(backends.switch_agent(AT, each))["DEFAULT"]["host"] == each.host
    files = services.files(AT, "ovs")
    assert {path.stem for path in files if path.parent.name == "neutron"} >= {each.host for each in HYPERVISORS}


@pytest.mark.parametrize("hypervisor", HYPERVISORS)
def test_both_backends_tunnel_between_the_same_addresses(hypervisor: HypervisorPlace) -> None:
    agent = read(backends.switch_agent(AT, hypervisor))
    assert agent["ovs"]["local_ip"] == hypervisor.tunnel_address
    assert f"external_ids:ovn-encap-ip={hypervisor.tunnel_address}" in ovn.settings(hypervisor)
    assert agent["ovs"]["bridge_mappings"].partition(":")[0] == PHYSICAL_NETWORK
    assert read(backends.ml2("ovs"))["ml2_type_flat"]["flat_networks"] == PHYSICAL_NETWORK


def test_the_agents_find_the_broker_where_it_listens() -> None:
    listeners = [line.partition(" = ")[2] for line in broker.configuration().splitlines() if "listeners.tcp." in line]
    for each in HYPERVISORS:
        url = urlsplit(read(backends.switch_agent(AT, each))["DEFAULT"]["transport_url"])
        assert f"{url.hostname}:{url.port}" in listeners
    assert f"127.0.0.1:{BROKER_PORT}" in listeners
    (control,) = [leg for leg in namespaces.legs() if leg.port == "os-management"]
    assert control.address is not None
    assert str(ip_interface(control.address).ip) == MANAGEMENT_ADDRESS


def test_the_clouds_are_of_seeded_users_in_their_projects() -> None:
    clouds = yaml.safe_load(services.clouds_yaml())["clouds"]
    assert set(clouds) == {f"haos-openstack{suffix}" for suffix in ("", "-reader", "-other", "-admin")}
    for name, cloud in clouds.items():
        if not name.endswith("-admin"):
            assert seed.USERS[cloud["auth"]["username"]][0] == cloud["auth"]["project_name"]
    assert seed.USERS[clouds["haos-openstack-reader"]["auth"]["username"]][1] == ("reader",)
