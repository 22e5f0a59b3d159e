"""What becomes of a pair's floating IP: everything that may be there, against everything that may be asked for."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from haos.core.checks import Severity
from haos.core.floating import (
    FloatingChoice,
    FloatingWish,
    choose,
    drift,
    origin_of,
    removal_of,
)
from haos.core.floating_route import Route, find_route, has_router, is_known, routers_on
from haos.core.model import CloudNetwork, FixedIp, FloatingIp, Mode, OwnFloatingIp, Pair, Port, Router, Subnet

VIP_PORT, OTHER_PORT = "vip-port", "somebody"
PUBLIC = CloudNetwork("public-id", "public", "admin", external=True)
ANOTHER = CloudNetwork("dmz-id", "dmz", "admin", external=True)
MADE, A, B = OwnFloatingIp(), IPv4Address("172.24.4.9"), IPv4Address("172.24.4.10")
ANY, ON_PUBLIC, ON_DMZ = FloatingWish(), FloatingWish("public"), FloatingWish("dmz")
NETWORKS = {"public": PUBLIC, "dmz": ANOTHER, None: None}


def ip(address: IPv4Address = A, port_id: str | None = None, *, ours: bool = False) -> FloatingIp:
    mark = f"haos:vip {VIP_PORT}" if ours else "mine"
    return FloatingIp(f"id-{address}", address, PUBLIC.id, port_id, description=mark, revision=1)


def chosen(wish: FloatingWish | None, *ips: FloatingIp, own: OwnFloatingIp | None = None) -> FloatingChoice:
    return choose(wish, own, VIP_PORT, ips, NETWORKS[wish.network if wish else None])


def refused(choice: FloatingChoice) -> str:
    [finding] = choice.findings
    assert finding.severity is Severity.BLOCKER
    assert finding.remedy
    assert choice.take is None
    assert not choice.make
    return finding.code


@pytest.mark.parametrize("wish", [ANY, ON_PUBLIC])
def test_where_there_is_none_one_is_made_and_the_record_says_so(wish: FloatingWish) -> None:
    choice = chosen(wish, ip(port_id=OTHER_PORT), ip(B))
    assert (choice.own, choice.make, choice.take, choice.findings) == (MADE, True, None, ())
    assert (choice.network_id, choice.network) == (("public-id", "public") if wish is ON_PUBLIC else (None, ""))
    assert choose(wish, None, None, (), NETWORKS[wish.network]).make, "a new pair"


@pytest.mark.parametrize("wish", [ANY, ON_PUBLIC, FloatingWish(address=A)])
@pytest.mark.parametrize("own", [None, MADE, OwnFloatingIp(A)])
def test_one_that_leads_there_already_is_enough(wish: FloatingWish, own: OwnFloatingIp | None) -> None:
    there = ip(port_id=VIP_PORT, ours=own == MADE)
    assert chosen(wish, ip(B), there, own=own) == FloatingChoice(own, there=there)


def test_an_address_that_is_free_is_taken() -> None:
    assert chosen(FloatingWish(address=A), ip(), ip(B)) == FloatingChoice(OwnFloatingIp(A), take=ip())


def test_what_leads_elsewhere_is_never_taken_away() -> None:
    assert refused(chosen(FloatingWish(address=A), ip(port_id=OTHER_PORT))) == "floating-in-use"
    assert refused(chosen(FloatingWish(address=A), replace(ip(), forwards=True))) == "floating-in-use"
    moved = ip(port_id=OTHER_PORT, ours=True)
    assert refused(chosen(ANY, moved, own=MADE)) == "floating-in-use"


def test_an_address_that_is_not_the_projects_is_refused() -> None:
    assert refused(chosen(FloatingWish(address=A), ip(B))) == "floating-missing"


@pytest.mark.parametrize("wish", [ON_DMZ, FloatingWish(address=B)])
@pytest.mark.parametrize("own", [None, MADE, OwnFloatingIp(A)])
def test_another_one_in_its_place_is_refused(wish: FloatingWish, own: OwnFloatingIp | None) -> None:
    choice = chosen(wish, ip(port_id=VIP_PORT, ours=own == MADE), ip(B), own=own)
    assert refused(choice) == "floating-other"
    assert choice.own == own


def test_a_network_that_is_not_external_is_refused() -> None:
    inside = replace(PUBLIC, external=False)
    assert refused(choose(ON_PUBLIC, None, VIP_PORT, (), inside)) == "floating-network"


@pytest.mark.parametrize("wish", [None, ANY, ON_PUBLIC])
@pytest.mark.parametrize("own", [MADE, OwnFloatingIp(A)])
def test_what_haos_gave_leads_there_again_where_it_is_free(wish: FloatingWish | None, own: OwnFloatingIp) -> None:
    free = ip(ours=own == MADE)
    assert chosen(wish, free, own=own) == FloatingChoice(own, take=free)


@pytest.mark.parametrize("own", [MADE, OwnFloatingIp(A)])
@pytest.mark.parametrize(
    ("ips", "reason"),
    [
        ((), "gone"),
        ((ip(port_id=OTHER_PORT, ours=True),), "port somebody by now"),
        ((ip(ours=True), ip(B, VIP_PORT)), "with nothing by now"),
    ],
)
def test_what_is_lost_for_good_is_said_and_forgotten(
    own: OwnFloatingIp, ips: tuple[FloatingIp, ...], reason: str
) -> None:
    choice = chosen(None, *ips, own=own)
    [finding] = choice.findings
    assert (choice.own, choice.take, choice.make) == (None, None, False)
    assert (finding.code, finding.severity) == ("floating-lost", Severity.WARNING)
    assert finding.reason.endswith(reason)
    assert choice.there == next((ip for ip in ips if ip.port_id == VIP_PORT), None)
    assert (str(choice.there.address) if choice.there else "--floating-ip") in (finding.remedy or "")


def test_after_that_another_one_is_made_if_asked_for() -> None:
    assert chosen(ANY, own=MADE).make
    moved = ip(port_id=OTHER_PORT)
    assert chosen(ANY, moved, own=OwnFloatingIp(A)) == FloatingChoice(MADE, make=True)
    assert chosen(FloatingWish(address=B), moved, ip(B), own=OwnFloatingIp(A)) == FloatingChoice(
        OwnFloatingIp(B), take=ip(B)
    )


@pytest.mark.parametrize("wish", [ANY, ON_PUBLIC, FloatingWish(address=B)])
@pytest.mark.parametrize("own", [MADE, OwnFloatingIp(A)])
def test_where_anothers_leads_there_instead_what_haos_gave_is_forgotten(
    wish: FloatingWish, own: OwnFloatingIp
) -> None:
    choice = chosen(wish, ip(ours=own == MADE), ip(B, VIP_PORT), own=own)
    assert (choice.own, choice.there, choice.take, choice.make) == (None, ip(B, VIP_PORT), None, False)
    [finding] = choice.findings
    assert (finding.code, finding.severity) == ("floating-lost", Severity.WARNING)


@pytest.mark.parametrize("wish", [ANY, ON_PUBLIC])
@pytest.mark.parametrize("own", [None, OwnFloatingIp(B)])
def test_what_haos_made_and_forgot_is_taken_before_another_is_made(
    wish: FloatingWish, own: OwnFloatingIp | None
) -> None:
    spare = ip(ours=True)
    assert chosen(wish, spare, own=own) == FloatingChoice(MADE, take=spare)
    assert chosen(wish, replace(spare, port_id=OTHER_PORT), own=own).make


def test_drift_is_said_in_words() -> None:
    assert drift(None, VIP_PORT, ()) is None
    assert drift(MADE, VIP_PORT, (ip(port_id=VIP_PORT, ours=True),)) is None
    assert drift(MADE, VIP_PORT, (ip(B, VIP_PORT),)) == "the floating IP that haos made for it is gone"
    assert drift(OwnFloatingIp(A), VIP_PORT, ()) == "floating IP 172.24.4.9 is gone"
    assert drift(OwnFloatingIp(A), VIP_PORT, (ip(),)) == (
        "its floating IP 172.24.4.9 is associated with nothing by now"
    )


PAIR = Pair("web", "net", "p", ip_address("10.0.0.2"), 1, (), Mode.GARP, reservation_id=VIP_PORT)


def test_teardown_takes_away_what_haos_did_and_nothing_else() -> None:
    made, own, foreign = ip(port_id=VIP_PORT, ours=True), ip(B, VIP_PORT), ip(IPv4Address("172.24.4.11"), VIP_PORT)
    removal = removal_of(
        replace(PAIR, floating=OwnFloatingIp(B)), (made, own, foreign, ip(IPv4Address("172.24.4.12")))
    )
    assert (removal.delete, removal.release) == ((made,), (own,))
    assert removal.kept == (
        "floating IP 172.24.4.11, which haos did not associate, leads nowhere without its port, and stays the "
        "project's",
    )
    [kept] = removal_of(replace(PAIR, adopted=True), (foreign,)).kept
    assert kept.endswith("stays on the port")


def test_teardown_leaves_alone_what_leads_elsewhere_by_now() -> None:
    made, own = ip(port_id=OTHER_PORT, ours=True), ip(B, OTHER_PORT)
    removal = removal_of(replace(PAIR, floating=OwnFloatingIp(B)), (made, own))
    assert (removal.delete, removal.release) == ((), ())
    assert removal.kept == (
        "floating IP 172.24.4.9, which haos made, is left alone: it is associated with port somebody by now",
        "floating IP 172.24.4.10, which haos associated, is left alone: it is associated with port somebody by now",
    )


def test_teardown_deletes_what_haos_made_though_it_leads_nowhere() -> None:
    assert removal_of(PAIR, (ip(ours=True),)).delete == (ip(ours=True),)
    assert removal_of(replace(PAIR, floating=OwnFloatingIp(A)), (ip(),)) == removal_of(PAIR, ())


def test_who_gave_it() -> None:
    pair = replace(PAIR, floating=OwnFloatingIp(A))
    assert [origin_of(one, pair) for one in (ip(B, ours=True), ip(A), ip(B))] == ["made", "associated", "other"]


SUBNET = Subnet("sub", "lan", "net", ip_network("10.0.0.0/24"))


def router_port(router_id: str, owner: str = "network:router_interface", subnet_id: str = "sub") -> Port:
    return Port(f"p-{router_id}", "net", "p", "fa:16:3e:00:00:01", (FixedIp(ip_address("10.0.0.1"), subnet_id),),
                device_id=router_id, device_owner=owner)  # fmt: skip


def test_the_routers_of_a_subnet_are_known_by_their_ports() -> None:
    ports = [
        router_port("r2", "network:router_interface_distributed"),
        router_port("r1", "network:ha_router_replicated_interface"),
        router_port("r3", subnet_id="another"),
        router_port("r4", "network:dhcp"),
    ]
    assert routers_on(SUBNET, ports) == ("r1", "r2")
    assert has_router(ports, 4)
    assert not has_router(ports, 6)
    assert not has_router([router_port("r4", "network:dhcp")], 4)


def test_the_way_from_outside() -> None:
    one, two, bare = Router("r1", "edge", "public-id"), Router("r2", "r2", "dmz-id"), Router("r3", "r3")
    assert find_route(None, SUBNET, ("r1", "r3"), (bare, one)) == Route("public-id", "edge")
    assert find_route("dmz-id", SUBNET, ("r1", "r2"), (one, two)).network_id == "dmz-id"
    assert find_route("public-id", SUBNET, ("r9",), ()).network_id == "public-id", (
        "another project's: Neutron decides"
    )


def test_another_floating_ip_shows_the_way() -> None:
    there = replace(ip(port_id=OTHER_PORT), router_id="r1")
    assert is_known(PUBLIC.id, ("r1", "r2"), (ip(), there))
    assert not is_known(PUBLIC.id, ("r2",), (ip(), there))
    assert not is_known("dmz-id", ("r1",), (ip(), there))
    assert not is_known(None, ("r1",), (ip(), there))


@pytest.mark.parametrize(
    ("wanted", "routers", "hidden", "code", "reason"),
    [
        (None, (), 0, "floating-no-router", "no router is on subnet lan"),
        ("public-id", (), 0, "floating-no-router", "no router is on subnet lan"),
        (None, (Router("r3", "r3"),), 0, "floating-no-router", "the router of subnet lan has no gateway"),
        ("x", (Router("r1", "r1", "y"),), 0, "floating-no-router", "is routed to external network y, not to x"),
        (None, (Router("r1", "r1", "y"), Router("r2", "r2", "z")), 0, "floating-choice", "2 external networks: y, z"),
        (None, (), 1, "floating-choice", "is another project's"),
    ],
)
def test_why_there_is_no_way(
    wanted: str | None, routers: tuple[Router, ...], hidden: int, code: str, reason: str
) -> None:
    ids = (*(router.id for router in routers), *("hidden",) * hidden)
    finding = find_route(wanted, SUBNET, ids, routers).finding
    assert finding is not None
    assert (finding.code, finding.severity) == (code, Severity.BLOCKER)
    assert reason in finding.reason
    assert finding.remedy
