"""The plan as a whole screen, its requests against what the adapter really sends, its diffs against the files."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
import requests
import requests_mock

from haos.core.changes import (
    Activate,
    AdmitVip,
    AdoptPort,
    Change,
    Configure,
    DismissVip,
    InstallKeepalived,
    MakeFloatingIp,
    MakeGroup,
    MendGroup,
    PortAmendment,
    RemovePair,
    ReserveVip,
    TakeFloatingIp,
    UpdateRecord,
)
from haos.core.keepalived import MAIN_PATH
from haos.core.model import AddressPair, SecurityGroup
from haos.core.names import floating_mark, group_mark
from haos.core.plan import Plan, Seen
from haos.core.security import pair_rules
from haos.view.changes import describe
from haos.view.diffs import file_diffs
from haos.view.plan import plan_lines
from haos.view.requests import DEFAULT_RULE, NEW_GROUP, NEW_PORT, Call, Requests
from haos.workflow.create import Prepared, create, prepare
from haos.workflow.request import CreateRequest, ModeChoice
from tests.adapters.cloud_double import NEUTRON, connected, fixture
from tests.adapters.test_cloud_floating import BODY, ID, PUBLIC, SPARE
from tests.fakes import World, context_of, howto_world

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))
VIRTUAL = AddressPair("10.200.51.2", "00:00:5e:00:01:01")


def planned(world: World, request: CreateRequest = HOWTO) -> Prepared:
    return prepare(request, context_of(world))


def shown(prepared: Prepared, *, verbose: bool = False) -> list[str]:
    return [line.text for line in plan_lines(prepared.plan, prepared.seen, verbose=verbose)]


def test_a_new_pair_as_a_screen() -> None:
    assert shown(planned(howto_world())) == [
        "Pair ha_first-ha_second: VIP 10.200.51.2 on ha_lab (10.200.51.0/24), VRID 1, mode garp",
        "  + port           haos-vip-ha_first-ha_second: 10.200.51.2, MAC 00:00:5e:00:01:01 (VRID 1)",
        "  + security group haos-ha_first-ha_second: protocol 112 between 10.200.51.32 and 10.200.51.33, "
        "nothing else",
        "  ~ port           ha_first: + address pair 10.200.51.2, + the security group",
        "  ~ port           ha_second: + address pair 10.200.51.2, + the security group",
        "  + package        ha_first: keepalived",
        "  + package        ha_second: keepalived",
        *(
            f"  + file           {node}: {path}"
            for node in ("ha_second", "ha_first")
            for path in (
                "/etc/keepalived/haos.d/release-vips",
                "/etc/systemd/system/keepalived.service.d/haos.conf",
                "/etc/keepalived/haos.d/ha_first-ha_second.conf",
                "/etc/keepalived/keepalived.conf",
            )
        ),
        "  ~ service        ha_first: keepalived enabled and started",
        "  ~ service        ha_second: keepalived enabled and started",
        "Plan: 12 to add, 4 to change, 0 to remove.",
        "Predicted outage, at most:",
        "  clean stop         0.030 s  (skew (256-230)/256 x 0.3 s)",
        "  crash or partition 0.930 s  (3 x 0.3 s + skew (256-230)/256 x 0.3 s)",
        "  failback           0.000 s  (the preferred node takes over only once it speaks)",
    ]


def without_port_security(world: World) -> World:
    for port in tuple(world.ports.values()):
        world.ports[port.id] = replace(port, port_security=False, pairs=(), group_ids=())
    return world


def test_where_the_virtual_mac_is_the_nodes_alone_the_reservation_has_any() -> None:
    prepared = planned(without_port_security(howto_world()), replace(HOWTO, mode=ModeChoice.VMAC))
    assert shown(prepared)[1] == (
        "  + port           haos-vip-ha_first-ha_second: 10.200.51.2, any MAC, VRID 1 by the record"
    )
    [call] = Requests(prepared.plan, prepared.seen).of(prepared.plan.changes[0])
    assert call.body is not None
    assert "mac_address" not in call.body["port"]


def test_nothing_to_change_as_a_screen() -> None:
    world = howto_world()
    create(planned(world), context_of(world), lambda _: None)
    assert shown(planned(world), verbose=True) == [
        "Pair ha_first-ha_second: VIP 10.200.51.2 on ha_lab (10.200.51.0/24), VRID 1, mode garp",
        "Nothing to change.",
    ]


def test_only_what_is_asked_for_changes_and_shows_as_a_change() -> None:
    world = howto_world()
    create(planned(world), context_of(world), lambda _: None)
    lines = shown(planned(world, replace(HOWTO, advertisement_interval_s=1.0)), verbose=True)
    assert "  ~ port           haos-vip-ha_first-ha_second: the record" in lines
    assert "  ~ file           ha_first: /etc/keepalived/haos.d/ha_first-ha_second.conf" in lines
    assert "  ~ service        ha_first: keepalived reloaded" in lines
    assert "Plan: 0 to add, 5 to change, 0 to remove." in lines
    diff = [line.strip() for line in lines if line.startswith(("      -    ", "      +    "))]
    assert diff == ["-    advert_int 0.3", "+    advert_int 1"] * 2


def test_every_kind_of_change_is_described(world: World) -> None:
    prepared = planned(world)
    port, rules = (
        next(iter(world.ports.values())),
        pair_rules([ip_address("10.0.0.1"), ip_address("10.0.0.2")], bfd=True),
    )
    group = SecurityGroup("g", "haos-web", "p")
    config = prepared.plan.desired.configs["ha_first"]
    changes: list[Change] = [
        AdoptPort(replace(port, name="mine"), ip_address("10.0.0.9"), 7, "haos-web", ""),
        UpdateRecord(replace(port, name="haos-vip-web"), ""),
        MendGroup(group, rules),
        AdmitVip("ha_first", port.id, (VIRTUAL,), False),
        DismissVip("ha_first", port.id, (VIRTUAL, AddressPair("fe80::1", port.mac))),
        RemovePair("ha_first", config),
    ]
    lines = [str(item) for change in changes for item in describe(change, prepared.seen.facts)]
    assert lines == [
        "  ~ port           mine: 10.0.0.9, adopted as reservation with VRID 7",
        "  ~ port           haos-vip-web: the record",
        "  ~ security group haos-web: protocol 112 and UDP 3784 between 10.0.0.1 and 10.0.0.2, nothing else",
        "  ~ port           ha_first: + address pair 10.200.51.2 with MAC 00:00:5e:00:01:01",
        "  ~ port           ha_first: - address pair 10.200.51.2 with MAC 00:00:5e:00:01:01, - address pair fe80::1",
        "  - file           ha_first: /etc/keepalived/haos.d/ha_first-ha_second.conf, to come back anew",
    ]


def test_a_foreign_configuration_gains_one_line_and_a_withdrawn_pair_comes_back(world: World) -> None:
    prepared = planned(world)
    config = prepared.plan.desired.configs["ha_first"]
    [main] = [file for file in config.files if file.path == MAIN_PATH]
    foreign = replace(
        config, files=tuple(file for file in config.files if file is not main), include_line="include x"
    )
    pair_text = next(file.text for file in config.files if file.path.endswith("ha_second.conf"))
    facts = replace(
        prepared.seen.facts["ha_first"],
        main_config="global_defs {\n}",
        pair_files={config.pair: pair_text},
        withdrawn=frozenset({config.pair}),
    )
    items = [str(item) for item in describe(Configure("ha_first", foreign), {"ha_first": facts})]
    assert items[2:] == [
        f"  ~ file           ha_first: /etc/keepalived/haos.d/{config.pair}.conf, moved back from .withdrawn",
        "  ~ file           ha_first: /etc/keepalived/keepalived.conf, + one include line",
    ]
    assert file_diffs(foreign, facts)[MAIN_PATH] == (
        f"--- {MAIN_PATH}", f"+++ {MAIN_PATH}", "@@ -1,2 +1,3 @@", " global_defs {", " }", "+include x",
    )  # fmt: skip


def test_diffs_are_what_patch_takes(world: World, tmp_path: Path) -> None:
    prepared = planned(world)
    config = prepared.plan.desired.configs["ha_first"]
    old = "line\n" * 5
    facts = replace(prepared.seen.facts["ha_first"], drop_in=old)
    path = next(path for path in file_diffs(config, facts) if path.endswith("haos.conf"))
    target = tmp_path / "haos.conf"
    target.write_text(old)
    diff = "\n".join(file_diffs(config, facts)[path]) + "\n"
    subprocess.run(["patch", str(target)], input=diff, text=True, check=True, capture_output=True)
    assert target.read_text() == next(file.text for file in config.files if file.path == path)


def sent(mock: requests_mock.Mocker) -> list[Call]:
    """Return the writes that really left."""
    return [
        Call(
            request.method,
            request.path_url.removeprefix("/network"),
            json.loads(request.text) if request.text else None,
            _revision(request.headers.get("If-Match")),
        )
        for request in mock.request_history
        if request.method != "GET"
    ]


def _revision(header: str | None) -> int | None:
    return int(header.rpartition("=")[2]) if header else None


def as_sent(request: requests.PreparedRequest, context: object) -> object:
    """Answer a PUT as Neutron does: the port with what was sent, and the next revision."""
    revision = _revision(request.headers.get("If-Match"))
    port = fixture("neutron/reservation")["port"] | json.loads(str(request.text))["port"]  # type: ignore[attr-defined]
    return {"port": port if revision is None else {**port, "revision_number": revision + 1}}


def foretold(changes: list[Change], prepared: Prepared, seen: Seen) -> list[Call]:
    """Return the writes that the plan's screen shows, with the ids that the canned answers give."""
    requests = Requests(Plan(prepared.plan.desired, tuple(changes)), seen)
    text = json.dumps(
        [[call.method, call.path, call.body, call.if_match] for c in changes for call in requests.of(c)]
    )
    group = fixture("neutron/group")["security_group"]
    text = text.replace(NEW_GROUP, group["id"]).replace(NEW_PORT, "reserved")
    text = text.replace(f"{DEFAULT_RULE}  (each rule that it is born with)", DEFAULT_RULE)
    return [Call(*parts) for parts in json.loads(text)]


def test_the_requests_shown_are_the_requests_sent(tmp_path: Path, world: World) -> None:
    prepared = planned(world)
    changes = list(prepared.plan.changes)
    reserve = next(change for change in changes if isinstance(change, ReserveVip))
    make = next(change for change in changes if isinstance(change, MakeGroup))
    admits = [change for change in changes if isinstance(change, AdmitVip)]
    group = fixture("neutron/group")["security_group"]
    ports = {node.name: node.port for node in prepared.plan.desired.nodes}
    with connected(tmp_path) as (mock, cloud):
        mock.post(f"{NEUTRON}/ports", json=fixture("neutron/reservation"), status_code=201)
        mock.post(f"{NEUTRON}/security-groups", json={"security_group": group}, status_code=201)
        mock.post(f"{NEUTRON}/security-group-rules", json={"security_group_rules": []}, status_code=201)
        mock.delete(re.compile("/security-group-rules/"), status_code=204)
        mock.put(re.compile("/ports/"), json=as_sent)
        cloud.reserve(reserve.reservation)
        cloud.make_group(make.name, group_mark("reserved"), make.rules)
        for admit in admits:
            cloud.amend_port(ports[admit.node], PortAmendment(add_pairs=admit.pairs, add_groups=(group["id"],)))
        really = sent(mock)
    born = {rule["id"] for rule in group["security_group_rules"]}
    one = [
        replace(call, path=re.sub("|".join(born), DEFAULT_RULE, call.path) if born else call.path) for call in really
    ]
    assert list(dict.fromkeys(map(str, one))) == list(map(str, foretold(changes, prepared, prepared.seen)))


def test_the_requests_of_a_change_are_the_requests_sent(tmp_path: Path, world: World) -> None:
    prepared = planned(world)
    port = replace(prepared.plan.desired.nodes[0].port, pairs=(VIRTUAL,), revision=7)
    group = SecurityGroup("g", "haos-web", "p", rules=(replace(pair_rules([ip_address("10.0.0.9")])[0], id="old"),))
    rules = pair_rules([ip_address("10.0.0.1")])
    nodes = (replace(prepared.plan.desired.nodes[0], port=port), *prepared.plan.desired.nodes[1:])
    prepared = replace(prepared, plan=replace(prepared.plan, desired=replace(prepared.plan.desired, nodes=nodes)))
    changes: list[Change] = [
        AdoptPort(port, ip_address("10.0.0.9"), 7, "haos-web", "record"),
        UpdateRecord(port, "record"),
        MendGroup(group, rules),
        MakeFloatingIp(PUBLIC, "public", ip_address("10.0.0.9")),
        TakeFloatingIp(SPARE, ip_address("10.0.0.9")),
        DismissVip("ha_first", port.id, (VIRTUAL,)),
    ]
    with connected(tmp_path) as (mock, cloud):
        mock.post(f"{NEUTRON}/security-group-rules", json={"security_group_rules": []}, status_code=201)
        mock.delete(re.compile("/security-group-rules/"), status_code=204)
        mock.put(re.compile("/ports/"), json=as_sent)
        cloud.adopt(port, device_id="haos-web", description="record")
        cloud.describe(port, "record")
        cloud.set_rules(group, rules)
        mock.post(f"{NEUTRON}/floatingips", json={"floatingip": BODY}, status_code=201)
        mock.put(f"{NEUTRON}/floatingips/{ID}", json={"floatingip": BODY})
        cloud.make_floating_ip(PUBLIC, port.id, ip_address("10.0.0.9"), floating_mark(port.id))
        cloud.take_floating_ip(SPARE, port.id, ip_address("10.0.0.9"))
        cloud.amend_port(port, PortAmendment(remove_pairs=(VIRTUAL,)))
        really = sent(mock)
    seen = Seen(prepared.seen.facts, port, group)
    assert list(map(str, really)) == list(map(str, foretold(changes, prepared, seen)))


def test_what_touches_no_api_shows_no_request(world: World) -> None:
    prepared = planned(world)
    config = prepared.plan.desired.configs["ha_first"]
    changes: list[Change] = [InstallKeepalived("a"), RemovePair("a", config), Configure("a", config), Activate("a")]
    requests = Requests(prepared.plan, prepared.seen)
    assert [call for change in changes for call in requests.of(change)] == []


@pytest.mark.parametrize("verbose", [False, True])
def test_every_line_of_a_new_plan_is_styled_by_its_sign(world: World, verbose: bool) -> None:
    prepared = planned(world)
    for line in plan_lines(prepared.plan, prepared.seen, verbose=verbose):
        if line.text.startswith("  + "):
            assert line.style == "green"
        if line.text.startswith("  ~ "):
            assert line.style == "yellow"
