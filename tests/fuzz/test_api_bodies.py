"""What an API answers, with something in it that is not as it should be: read rightly, or one line that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.adapters import cloud_parse as parse
from haos.errors import CloudError
from tests.adapters.cloud_double import fixture
from tests.fuzz import schema
from tests.fuzz.amount import examples
from tests.fuzz.bodies import json_values, mutations


@dataclass(frozen=True)
class Kind:
    """A resource: a recorded body, how haos reads it, what the API says of it, and what becomes of which field."""

    body: Any
    read: Callable[[Any], Any]
    shape: schema.Shape
    becomes: dict[str, str]  # field of the body -> attribute of the value, where they are called otherwise


def recorded(name: str, key: str) -> Any:
    body = fixture(name)
    return body[key][0] if isinstance(body[key], list) else body[key]


PAIRS = [{"ip_address": "10.200.51.2", "mac_address": "fa:16:3e:8d:dc:bb"}, {"ip_address": "192.0.2.0/24"}]
PORT = {**recorded("neutron/ports", "ports"), "allowed_address_pairs": PAIRS}
ROUTES = [{"destination": "192.0.2.0/24", "nexthop": "10.200.51.9"}]
SUBNET = {**recorded("neutron/subnets", "subnets"), "host_routes": ROUTES}
ROUTER = {"id": "r", "name": "edge", "external_gateway_info": {"network_id": "n", "external_fixed_ips": []}}
FLOATING = {
    "id": "f",
    "floating_ip_address": "203.0.113.7",
    "floating_network_id": "n",
    "port_id": "p",
    "status": "ACTIVE",
    "description": "mine",
    "router_id": "r",
    "port_forwardings": [],
    "revision_number": 3,
    "fixed_ip_address": "10.200.51.2",
}
KINDS = {
    "network": Kind(
        recorded("neutron/networks", "networks"),
        parse.network,
        schema.NETWORK,
        {"port_security_enabled": "port_security", "router:external": "external", "id": "id name"},
    ),
    "subnet": Kind(
        SUBNET,
        parse.subnet,
        schema.SUBNET,
        {"gateway_ip": "gateway", "allocation_pools": "pools", "dns_nameservers": "dns", "host_routes": "next_hops"},
    ),
    "port": Kind(
        PORT,
        parse.port,
        schema.PORT,
        {
            "mac_address": "mac pairs",  # a pair without a MAC has the port's
            "allowed_address_pairs": "pairs",
            "security_groups": "group_ids",
            "port_security_enabled": "port_security",
            "admin_state_up": "admin_up",
            "revision_number": "revision",
        },
    ),
    "router": Kind(ROUTER, parse.router, schema.ROUTER, {"external_gateway_info": "gateway_network_id"}),
    "floating IP": Kind(
        FLOATING,
        parse.floating_ip,
        schema.FLOATING,
        {
            "floating_ip_address": "address",
            "floating_network_id": "network_id",
            "port_forwardings": "forwards",
            "revision_number": "revision",
        },
    ),
    "instance": Kind(
        recorded("nova/servers", "servers"),
        parse.instance,
        schema.INSTANCE,
        {"tenant_id": "project_id", "hostId": "host_id", "addresses": "fixed floating"},
    ),
    "security group": Kind(
        recorded("neutron/security-groups", "security_groups"),
        parse.group,
        schema.GROUP,
        {"security_group_rules": "rules"},
    ),
    "rule": Kind(
        recorded("neutron/security-groups", "security_groups")["security_group_rules"][3],
        parse.rule,
        schema.RULE,
        {
            "ethertype": "version",
            "port_range_min": "port_min",
            "port_range_max": "port_max",
            "remote_ip_prefix": "remote_ip",
        },
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def is_one_line(error: CloudError) -> bool:
    said = str(error)
    return said.isprintable() and len(said) < 300 and "did not answer as the API does" in said and bool(error.hint)


def read(kind: Kind, body: Any) -> Any | None:
    """Return what haos reads; None where it says that it cannot. Anything else that is raised is a traceback."""
    try:
        return kind.read(body)
    except CloudError as error:
        if not is_one_line(error):
            raise
        return None


@every_kind
@examples(25)
@given(data=st.data())
def test_a_body_is_read_if_and_only_if_it_is_as_the_api_says(kind: Kind, data: st.DataObject) -> None:
    """And what is read of it differs from the recorded one in nothing but the field that does."""
    mutation = data.draw(mutations(kind.body))
    body = mutation.of(kind.body)
    found = read(kind, body)
    assert (found is not None) is kind.shape(body)
    if found is not None and mutation.path:
        good, top = kind.read(kind.body), str(mutation.path[0])
        differing = {one.name for one in fields(good) if getattr(good, one.name) != getattr(found, one.name)}
        assert differing <= set(kind.becomes.get(top, top).split())


@every_kind
@examples(8)
@given(body=json_values)
def test_any_json_is_read_or_refused(kind: Kind, body: Any) -> None:
    assert (read(kind, body) is not None) is kind.shape(body)


@every_kind
def test_what_was_recorded_is_read_whole(kind: Kind) -> None:
    assert kind.shape(kind.body)
    assert read(kind, kind.body) is not None


@examples(25)
@given(data=st.data())
def test_a_quota_is_a_number_or_unknown_or_refused(data: st.DataObject) -> None:
    good = recorded("neutron/quota", "quota")
    mutation = data.draw(mutations(good))
    found = read(Kind(good, parse.quota, lambda _: True, {}), mutation.of(good))
    if found is None:
        return
    left = (found.ports, found.groups, found.rules, found.floating_ips)
    assert all(one is None or one >= 0 for one in left)
    if mutation.path and mutation.path[0] not in ("port", "security_group", "security_group_rule", "floatingip"):
        assert found == parse.quota(good)
