"""`check`, and what create looks at before it changes anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from haos.core.checks import Finding, Severity
from haos.core.model import AddressPair, Pool, Quota, SecurityRule
from haos.core.node import NodeFacts
from haos.errors import HaosError, HostKeyError, LoginError, NoFreeAddressError, RemoteError, UnsatisfiableError
from haos.workflow.check import CheckReport, check, check_pair
from haos.workflow.create import create, prepare
from haos.workflow.request import CreateRequest, ModeChoice
from tests.fakes import GROUP, SUBNET, World, change_port, context_of, howto_world, node, port_of

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))


def report(world: World, request: CreateRequest = HOWTO) -> CheckReport:
    before = world.snapshot()
    found = check(request, context_of(world))
    assert world.snapshot() == before
    assert world.effects.names == []
    return found


def codes(findings: tuple[Finding, ...], severity: Severity = Severity.BLOCKER) -> list[str]:
    return [finding.code for finding in findings if finding.severity is severity]


def change_instance(world: World, which: str, **fields: object) -> None:
    one = node(world, which).instance
    world.instances[one.id] = replace(one, **fields)  # type: ignore[arg-type]


def change_facts(world: World, name: str, **fields: object) -> None:
    facts = node(world, name).facts
    node(world, name).facts = lambda mac: replace(facts(mac), **fields)  # type: ignore[method-assign, arg-type]


def change_subnet(world: World, **fields: object) -> None:
    world.subnets[SUBNET] = replace(world.subnets[SUBNET], **fields)  # type: ignore[arg-type]


def change_network(world: World, **fields: object) -> None:
    [network] = world.networks.values()
    world.networks[network.id] = replace(network, **fields)  # type: ignore[arg-type]


def break_node(error: HaosError) -> Callable[[World], None]:
    def breaking(world: World) -> None:
        def facts(mac: str) -> NodeFacts:
            raise error

        node(world, "ha_second").facts = facts  # type: ignore[method-assign]

    return breaking


def only_icmp_from_elsewhere(world: World) -> None:
    group = world.groups[GROUP]
    rules = tuple(rule for rule in group.rules if rule.protocol != "icmp")
    world.groups[GROUP] = replace(group, rules=(*rules, SecurityRule("ingress", 4, "icmp", remote_group_id="other")))


def one_hypervisor(world: World) -> None:
    for name in HOWTO.nodes:
        change_instance(world, name, host_id="h")


TEN = tuple(AddressPair(f"192.0.2.{number}", "fa:16:3e:8d:dc:bb") for number in range(10))
WHOLE = (Pool(ip_address("10.200.51.2"), ip_address("10.200.51.254")),)
BLOCKERS: dict[str, Callable[[World], None]] = {
    "network-owner": lambda world: change_network(world, project_id="somebody"),
    "subnet-slaac": lambda world: change_subnet(world, ipv6_address_mode="slaac"),
    "instance-not-active": lambda world: change_instance(world, "ha_second", status="SHUTOFF"),
    "pairs-full": lambda world: change_port(world, "ha_first", pairs=TEN),
    "port-down": lambda world: change_port(world, "ha_first", admin_up=False),
    "no-icmp": only_icmp_from_elsewhere,
    "no-free-address": lambda world: change_subnet(world, pools=WHOLE),
    "no-systemd": lambda world: change_facts(world, "ha_first", systemd=False),
    "no-interface": lambda world: change_facts(world, "ha_first", interface=None),
    "keepalived-too-old": lambda world: change_facts(world, "ha_first", keepalived="1.3.9"),
    "guest-firewall": lambda world: change_facts(world, "ha_first", firewall="nft drops it"),
    "disk-full": lambda world: change_facts(world, "ha_first", free_mb=3),
    "host-key": break_node(HostKeyError("the host key of ha_second is unknown")),
    "login": break_node(LoginError("ha_second refuses sudo")),
    "ssh": break_node(RemoteError("no route to host")),
}


def test_nothing_speaks_against_the_howto() -> None:
    found = report(howto_world())
    assert found.ok
    assert codes(found.findings) == []
    assert found.target == "ha_first-ha_second"


@pytest.mark.parametrize("code", BLOCKERS)
def test_each_blocker_has_its_code_reason_and_remedy_and_stops_create(code: str) -> None:
    world = howto_world()
    BLOCKERS[code](world)
    found = report(world)
    assert not found.ok
    [finding] = [one for one in found.findings if one.code == code]
    assert finding.reason
    assert finding.remedy or code in ("host-key", "login", "ssh", "guest-firewall", "disk-full")
    with pytest.raises(HaosError) as error:
        prepare(HOWTO, context_of(world))
    assert error.value.exit_code == (1 if isinstance(error.value, RemoteError) else 5)
    assert finding.reason.removeprefix("ha_second: ") in str(error.value)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("port-security-off", lambda world: change_port(world, "ha_first", port_security=False)),
        ("same-hypervisor", one_hypervisor),
        ("no-observer", lambda world: change_instance(world, "observer", name="somebody")),
    ],
)
def test_what_makes_a_pair_less_is_a_warning_and_does_not_stop_create(
    code: str, change: Callable[[World], None]
) -> None:
    world = howto_world()
    change(world)
    found = report(world)
    assert found.ok
    assert code in codes(found.findings, Severity.WARNING)
    assert code in [warning.code for warning in prepare(HOWTO, context_of(world)).warnings]


@pytest.mark.parametrize(
    ("can", "code", "severity"),
    [
        ({"python", "root"}, None, None),
        ({"ping", "root"}, "observer-no-python", Severity.WARNING),
        ({"ping"}, "observer-no-python", Severity.WARNING),
        ({"python", "ping"}, "observer-no-root", Severity.WARNING),
        ({"root"}, "observer-cannot-probe", Severity.BLOCKER),
    ],
)
def test_what_the_observer_cannot_is_said_before_anything_is_changed(
    can: set[str], code: str | None, severity: Severity | None
) -> None:
    world = howto_world()
    world.observer_can = frozenset(can)
    found = report(world)
    assert [(one.code, one.severity) for one in found.findings] == ([(code, severity)] if code else [])
    unverified = replace(HOWTO, verify=False)
    assert report(world, unverified).findings == ()
    if severity is Severity.BLOCKER:
        with pytest.raises(UnsatisfiableError, match="neither a Python"):
            prepare(HOWTO, context_of(world))
    else:
        assert [one.code for one in prepare(HOWTO, context_of(world)).warnings] == ([code] if code else [])


def test_everything_is_reported_at_once_worst_first() -> None:
    world = howto_world()
    change_port(world, "ha_first", pairs=TEN)
    change_facts(world, "ha_second", systemd=False)
    one_hypervisor(world)
    found = report(world).findings
    assert {"pairs-full", "no-systemd"} <= set(codes(found))
    severities = [finding.severity for finding in found]
    assert severities == sorted(severities, key=list(Severity).index)


def test_a_quota_that_is_exhausted() -> None:
    world = howto_world()
    ctx = context_of(world)
    ctx.cloud.quota = lambda: Quota(ports=0, groups=0, rules=1)  # type: ignore[method-assign]
    found = check(HOWTO, ctx)
    assert codes(found.findings) == ["quota-port", "quota-security-group", "quota-security-group-rule"]
    with pytest.raises(UnsatisfiableError, match="leaves 0 port"):
        prepare(HOWTO, ctx)


def test_without_verification_the_observer_need_not_get_through() -> None:
    world = howto_world()
    only_icmp_from_elsewhere(world)
    assert report(world, replace(HOWTO, verify=False)).ok


def test_vmac_with_port_security_is_worth_knowing_and_stops_nothing() -> None:
    vmac, world = replace(HOWTO, mode=ModeChoice.VMAC), howto_world()
    assert report(world, vmac).ok
    assert "vmac-one-port" in codes(report(world, vmac).findings, Severity.INFO)
    assert "vmac-one-port" not in codes(report(world).findings, Severity.INFO)
    for name in ("ha_first", "ha_second"):
        change_port(world, name, port_security=False)
    assert "vmac-one-port" not in codes(report(world, vmac).findings, Severity.INFO)


def test_vmac_needs_two_address_pairs() -> None:
    world = howto_world()
    vmac = replace(HOWTO, mode=ModeChoice.VMAC)
    change_port(world, "ha_first", pairs=TEN[:8])
    assert report(world, vmac).ok
    change_port(world, "ha_first", pairs=TEN[:9])
    assert report(world).ok
    assert codes(report(world, vmac).findings) == ["pairs-full"]


def test_a_port_with_more_pairs_than_the_default_shows_that_the_limit_is_higher() -> None:
    world = howto_world()
    change_port(world, "ha_first", pairs=TEN)
    change_port(world, "ha_second", pairs=(*TEN, AddressPair("192.0.2.99", "fa:16:3e:f3:a9:a3")))
    assert report(world).ok


def test_a_pair_that_is_there_needs_room_only_for_what_it_lacks() -> None:
    world = howto_world()
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    have = port_of(world, "ha_second").pairs
    change_port(world, "ha_second", pairs=(*TEN[:9], *have))
    assert check_pair(None, None, ctx).ok
    switch = replace(HOWTO, mode=ModeChoice.VMAC)
    assert codes(check(switch, ctx).findings) == ["pairs-full"]


def test_an_ipv6_pair_is_judged_by_the_ipv6_firewall() -> None:
    world = howto_world()
    change_facts(world, "ha_first", firewall_v6="ip6tables drops it")
    assert report(world).ok
    change_subnet(world, cidr=ip_network("fd00::/64"), pools=(), gateway=None, dns=())
    for port in list(world.ports.values()):
        fixed = replace(port.fixed_ips[0], address=ip_address(f"fd00::{port.mac[-2:]}"))
        world.ports[port.id] = replace(port, fixed_ips=(fixed,))
    assert "guest-firewall" in codes(report(world, replace(HOWTO, verify=False)).findings)


def test_a_pair_that_is_there_is_checked_by_its_name_alone() -> None:
    world = howto_world()
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    assert check_pair(None, None, ctx).ok
    change_facts(world, "ha_second", free_mb=1)
    assert codes(check_pair("ha_first-ha_second", None, ctx).findings) == ["disk-full"]
    gone = node(world, "ha_second").instance
    del world.instances[gone.id]
    assert codes(check_pair(None, None, ctx).findings) == ["node-gone"]


def test_pools_that_leave_nothing_free_offer_one_of_theirs() -> None:
    world = howto_world()
    change_subnet(world, pools=WHOLE)
    with pytest.raises(NoFreeAddressError, match="no free address outside") as error:
        prepare(HOWTO, context_of(world))
    assert error.value.offer == ip_address("10.200.51.254")
    assert "--vip-from-pool" in (error.value.hint or "")
    prepared = prepare(replace(HOWTO, vip_from_pool=True), context_of(world))
    assert prepared.pair.vip == ip_address("10.200.51.254")


def test_a_vip_in_a_pool_wants_to_be_asked_for() -> None:
    world = howto_world()
    chosen = replace(HOWTO, vip=ip_address("10.200.51.99"))
    with pytest.raises(UnsatisfiableError, match="in an allocation pool") as error:
        prepare(chosen, context_of(world))
    assert "--vip-from-pool" in (error.value.hint or "")
    assert str(prepare(replace(chosen, vip_from_pool=True), context_of(world)).pair.vip) == "10.200.51.99"


def test_addresses_that_answer_on_the_wire_are_passed_over() -> None:
    world = howto_world()
    world.answers = {ip_address(f"10.200.51.{last}"): "02:00:00:00:00:01" for last in range(2, 12)}
    assert str(prepare(HOWTO, context_of(world)).pair.vip) == "10.200.51.12"


def test_a_chosen_vip_that_answers_on_the_wire_is_refused() -> None:
    world = howto_world()
    world.answers = {ip_address("10.200.51.9"): "02:00:00:00:00:01"}
    with pytest.raises(UnsatisfiableError, match="02:00:00:00:00:01 answers for it"):
        prepare(replace(HOWTO, vip=ip_address("10.200.51.9")), context_of(world))


def test_vrids_heard_on_the_wire_are_avoided_by_ip_version() -> None:
    world = howto_world()
    world.heard = frozenset({(1, 4), (2, 6), (3, 4)})
    assert prepare(HOWTO, context_of(world)).pair.vrid == 2


def test_a_pair_that_has_drifted_is_said() -> None:
    world = howto_world()
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    assert codes(check_pair(None, None, ctx).findings, Severity.WARNING) == []
    group = next(one for one in world.groups.values() if one.name.startswith("haos-"))
    world.groups[group.id] = replace(group, rules=())
    found = check_pair(None, None, ctx)
    assert found.ok
    [drift] = [finding for finding in found.findings if finding.code == "drifted"]
    assert "1 change is due" in drift.reason
    assert "haos create" in (drift.remedy or "")
