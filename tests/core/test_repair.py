"""What a repair does beside a plan's changes, what goes first, and what is left to others; pure."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from haos.core.changes import Activate, AdmitVip, Change, Configure, InstallKeepalived, MendGroup, RemovePair
from haos.core.intent import CloudFault, Intent
from haos.core.model import (
    FixedIp,
    Instance,
    Member,
    Mode,
    Node,
    Pair,
    Port,
    Role,
    SecurityGroup,
    SecurityRule,
    ServiceCheck,
)
from haos.core.node import NodeConfig, NodeFacts, Sight
from haos.core.outage import Verdict
from haos.core.repair import (
    DropWeight,
    EnablePort,
    EndTest,
    TrustKey,
    UndoFault,
    confused,
    openings,
    remaining,
    renewed,
    unmended,
    unproven_checks,
    weights,
)
from haos.core.sighting import Observation
from haos.core.status import CloudView, NodeStatus, NodeView, PairStatus, Silent, Trouble
from haos.core.troubles import judge_pair

FIRST, SECOND = "913c4131-0cc3-4df4-ad95-273cd2f8475a", "e220e2d9-f4de-4a46-92fa-bb767042c85e"
VIP = ip_address("10.200.51.2")
PAIR = Pair("web", "net", "project", VIP, 1, (Member(FIRST, 240), Member(SECOND, 230)), reservation_id="reservation")


def node(name: str, port_id: str, last: int) -> Node:
    address = ip_address(f"10.200.51.{last}")
    port = Port(port_id, "net", "project", f"fa:16:3e:00:00:{last}", (FixedIp(address, "subnet"),), device_id=name)
    return Node(Instance(f"id-{name}", name, "ACTIVE"), port, address)


NODES = {FIRST: node("web1", FIRST, 32), SECOND: node("web2", SECOND, 33)}
RESERVATION = Port("reservation", "net", "project", "00:00:5e:00:01:01", (FixedIp(VIP, "subnet"),))
FACTS = NodeFacts("web", "Debian", "apt", True, "ens3", keepalived="2.2.7", daemon_active=True, daemon_enabled=True)
SIGHT = Sight(Role.BACKUP, False, True)
CONFIG = NodeConfig("web", VIP, ip_address("10.200.51.32"), (), "ens3", 1, ())


def view(**ports: object) -> CloudView:
    """The pair, with something changed on the first node's port."""
    first = replace(NODES[FIRST], port=replace(NODES[FIRST].port, **ports))  # type: ignore[arg-type]
    there = {FIRST: first, SECOND: NODES[SECOND]}
    return CloudView(PAIR, RESERVATION, there, tuple(one.port for one in there.values()))


def look(**facts: object) -> NodeView:
    return NodeView(replace(FACTS, **facts), SIGHT)  # type: ignore[arg-type]


def test_nothing_opens_where_nothing_is_in_the_way() -> None:
    looks = {FIRST: look(), SECOND: look()}
    assert openings(view(), looks) == ()
    assert weights(view(), looks) == ()


def test_what_is_in_the_way_comes_first_faults_before_ports_before_nodes() -> None:
    there = view(admin_up=False)
    intent = Intent(CloudFault.PAUSE, SECOND, 100)
    there = replace(there, reservation=replace(RESERVATION, tags=(intent.tag,)))
    looks: dict[str, NodeView | Silent] = {
        FIRST: Silent("another key", fingerprints=("ED25519 SHA256:x",)),
        SECOND: look(fault="stop"),
    }
    assert openings(there, looks) == (
        UndoFault(intent, "web2", NODES[SECOND].port),
        EnablePort("web1", FIRST),
        TrustKey("web1", ("ED25519 SHA256:x",)),
        EndTest("web2", "stop"),
    )


def test_a_port_that_an_announced_fault_holds_down_is_that_faults_to_undo() -> None:
    intent = Intent(CloudFault.PORT_DOWN, FIRST, 100)
    there = replace(view(admin_up=False), reservation=replace(RESERVATION, tags=(intent.tag,)))
    assert [type(step) for step in openings(there, {})] == [UndoFault]


def test_a_key_that_nobody_vouches_for_opens_nothing() -> None:
    assert openings(view(), {FIRST: Silent("the host key is not the one that haos keeps")}) == ()


def test_weights_are_those_of_this_pair() -> None:
    looks = {FIRST: look(weights={"web": 253, "other": 5}), SECOND: look(weights={"other": 5})}
    assert weights(view(), looks) == (DropWeight("web1", 253),)


def row(running: bool | None, code: str, role: Role = Role.BACKUP) -> NodeStatus:
    return NodeStatus(
        "web1", "", role, True, 230, keepalived_running=running, troubles=(Trouble(code, "web1", "so"),)
    )


@pytest.mark.parametrize(
    ("seen", "when"),
    [
        (row(True, "vip"), {"garp", "vmac", "checked"}),
        (row(True, "left-over"), {"garp", "vmac", "checked"}),
        (row(False, "left-over"), {"vmac"}),  # else its start takes the address off
        (row(True, "role", Role.FAULT), {"vmac"}),
        (row(True, "role", Role.UNKNOWN), set()),
        (row(True, "config"), set()),
    ],
)
def test_a_node_is_taken_off_and_put_back_where_a_reload_does_not_help(seen: NodeStatus, when: set[str]) -> None:
    cases = {"garp": (Mode.GARP, False), "vmac": (Mode.VMAC, False), "checked": (Mode.VMAC, True)}
    renewed_in = {
        case
        for case, (mode, checked) in cases.items()
        if confused(PairStatus(replace(PAIR, mode=mode), (seen,)), checked=checked)
    }
    assert renewed_in == when


def test_a_node_that_is_put_back_is_so_once_and_after_the_others() -> None:
    changes: tuple[Change, ...] = (Configure("web1", CONFIG), Configure("web2", CONFIG), Activate("web1"))
    configs = {"web1": CONFIG, "web2": CONFIG}
    assert renewed(changes, {"web1"}, configs) == (
        Configure("web2", CONFIG),
        RemovePair("web1", CONFIG),
        Configure("web1", CONFIG),
        Activate("web1"),
    )
    leaving = (RemovePair("web1", CONFIG), *changes)
    assert renewed(leaving, {"web1"}, configs) == leaving, "a change of mode does it already"
    assert renewed(changes, {"web1"}, {}) == changes, "a node that is left alone inside stays so"


@pytest.mark.parametrize(
    ("spec", "names"), [("/usr/local/bin/check", ("web2",)), ("tcp:443", ()), ("https://localhost/", ())]
)
def test_a_command_is_not_carried_from_node_to_node(spec: str, names: tuple[str, ...]) -> None:
    facts = {"web1": replace(FACTS, pair_files={"web": "text"}), "web2": FACTS}
    assert unproven_checks("web", (ServiceCheck(spec),), facts) == names


def test_beside_a_lost_node_files_stay_as_they_are_and_rules_are_only_added() -> None:
    rule = SecurityRule("ingress", 4, "112")
    group = SecurityGroup("group", "haos-web", "project", rules=(rule,))
    more, fewer = MendGroup(group, (rule, replace(rule, direction="egress"))), MendGroup(group, ())
    admit = AdmitVip("web1", FIRST, (), True)
    changes = (more, admit, Configure("web1", CONFIG), fewer)
    there = replace(FACTS, pair_files={"web": "text"})
    assert tuple(remaining(changes, "web", {"web1": there})) == (more, admit)
    stopped = replace(there, daemon_active=False)
    assert tuple(remaining((), "web", {"web1": stopped})) == (Activate("web1"),)
    bare = replace(stopped, keepalived=None)
    assert tuple(remaining((), "web", {"web1": bare})) == (InstallKeepalived("web1"), Activate("web1"))
    assert tuple(remaining((), "web", {"web1": replace(bare, pair_files={})})) == ()
    assert tuple(remaining((), "web", {"web1": replace(stopped, withdrawn=frozenset({"web"}))})) == ()


def test_what_no_step_is_for_is_left_to_others() -> None:
    troubles = (
        Trouble("unreachable", "web1", "silent"),
        Trouble("unreachable", "web2", "silent"),
        Trouble("instance", "web3", "SHUTOFF"),
        Trouble("config", "web2", "differs"),
        Trouble("no-backup", "", "none"),
        Trouble("same-hypervisor", "", "one", grave=False),
    )
    status = PairStatus(PAIR, (), troubles=troubles)
    left = unmended(status, (EnablePort("web1", FIRST), Activate("web2")), set())
    assert [(one.code, one.where) for one in left] == [("instance", "web3")]
    assert [one.code for one in unmended(status, (), {"web2"})] == ["unreachable", "instance"]


def test_who_answers_and_is_no_node_is_named_once_and_instead_of_the_observers_word() -> None:
    mac = "fa:16:3e:00:00:99"
    seen = Observation("observer", "icmp-raw+arp", True, mac, True, (mac, NODES[FIRST].port.mac))
    found = judge_pair(view(), {FIRST: look(), SECOND: look()}, seen)
    taken = [one for one in found.troubles if one.code == "vip-taken"]
    assert [one.reason for one in taken] == [
        f"10.200.51.2 is answered by {mac}, which is no node's: no port of this network has that address"
    ]
    assert "observer" not in {one.code for one in found.troubles}
    assert found.verdict is Verdict.FAIL
    own = judge_pair(view(), {}, replace(seen, echo_from=RESERVATION.mac, arp_from=(RESERVATION.mac,)))
    assert "vip-taken" not in {one.code for one in own.troubles}, "that is the network's own answer"
