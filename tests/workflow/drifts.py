"""What can become of a pair that was made, and the repair of it, over the in-memory world."""

from __future__ import annotations

from dataclasses import replace

import haos.workflow.repair as repairing
from haos.core.fault import FaultOrder
from haos.core.intent import Intent
from haos.core.model import SecurityGroup, SecurityRule
from haos.workflow.cloud_side import PORT_DOWN
from haos.workflow.create import create, prepare
from haos.workflow.repair import Repaired, request_of
from haos.workflow.repair_plan import RepairPlan
from haos.workflow.request import CreateRequest
from haos.workflow.resolve import find_pair, pair_nodes, whole
from tests.fakes import (
    FakeCloud,
    FakeNode,
    World,
    change_port,
    context_of,
    howto_world,
    port_of,
)

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"), "web", advertisement_interval_s=0.1, priorities=(100, 200))


def made() -> World:
    world = howto_world()
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    return world


def asked(world: World) -> CreateRequest:
    pair, _ = find_pair(FakeCloud(world), None)
    return request_of(pair, whole(pair, pair_nodes(FakeCloud(world), pair)[0]), "observer")


def prepared(world: World, *, observer: str | None = None) -> RepairPlan:
    return repairing.prepare("web", observer, context_of(world))


def repaired(world: World) -> Repaired:
    ctx = context_of(world)
    return repairing.repair(repairing.prepare("web", None, ctx), ctx, lambda _: None)


def nodes(world: World) -> tuple[FakeNode, FakeNode]:
    """The preferred node, and the Backup."""
    first, second, *_ = world.nodes.values()
    return second, first


def own_group(world: World) -> SecurityGroup:
    return next(group for group in world.groups.values() if group.name == "haos-web")


def lose_pair(world: World) -> None:
    for node in nodes(world):
        port = port_of(world, node)
        change_port(world, node, pairs=tuple(pair for pair in port.pairs if pair.ip_address != "10.200.51.2"))


def lose_rule(world: World) -> None:
    group = own_group(world)
    world.groups[group.id] = replace(group, rules=group.rules[:-1])


def gain_rule(world: World) -> None:
    group = own_group(world)
    rule = SecurityRule("ingress", 4, "tcp", 80, 80)
    world.groups[group.id] = replace(group, rules=(*group.rules, rule))


def detach_group(world: World) -> None:
    _, backup = nodes(world)
    group = own_group(world)
    change_port(world, backup, group_ids=tuple(one for one in port_of(world, backup).group_ids if one != group.id))


def edit_file(world: World) -> None:
    config = nodes(world)[1].files["web"]
    mine = [replace(file, text=file.text + "# mine\n") for file in config.files if file.path.endswith("/web.conf")]
    files = (*(file for file in config.files if not file.path.endswith("/web.conf")), *mine)
    nodes(world)[1].files["web"] = replace(config, files=files)


def lose_file(world: World) -> None:
    backup = nodes(world)[1]
    backup.files.clear()
    backup.running.clear()


def disable(world: World) -> None:
    nodes(world)[1].enabled = False


def stop(world: World) -> None:
    for node in nodes(world):
        node.daemon = False
    world.elect()


def lose_package(world: World) -> None:
    backup = nodes(world)[1]
    backup.package, backup.daemon, backup.enabled = None, False, False
    world.elect()


def weigh(world: World) -> None:
    nodes(world)[1].weights["web"] = 253
    world.elect()
    world.clock.sleep(5.0)


def withdraw(world: World) -> None:
    nodes(world)[0].withdrawn.add("web")
    world.elect()
    world.clock.sleep(5.0)


def leave_fault(world: World) -> None:
    nodes(world)[0].inject(
        FaultOrder("web", "stop", nodes(world)[0].files["web"].vip, "ens3", "", "", heal_after_s=999.0)
    )


def announce(world: World) -> None:
    cloud = FakeCloud(world)
    _, reservation = find_pair(cloud, "web")
    port = port_of(world, nodes(world)[0])
    cloud.add_tag(reservation.id, Intent(PORT_DOWN.fault, port.id, 1795471060).tag)
    PORT_DOWN.inject(cloud, port)


def port_down(world: World) -> None:
    FakeCloud(world).set_port_up(port_of(world, nodes(world)[1]).id, False)


def pend(world: World) -> None:
    nodes(world)[1].pending = True


DRIFTS = {
    "address pair": (lose_pair, "address-pair"),
    "rule": (lose_rule, "security-group"),
    "rule too many": (gain_rule, "security-group"),
    "group detached": (detach_group, "security-rule"),
    "file edited": (edit_file, "config"),
    "file gone": (lose_file, "config"),
    "unit disabled": (disable, "not-enabled"),
    "keepalived stopped": (stop, "keepalived"),
    "package gone": (lose_package, "keepalived"),
    "weight": (weigh, "switchover"),
    "withdrawn": (withdraw, "config"),
    "fault": (leave_fault, "fault"),
    "fault announced": (announce, "fault-pending"),
    "port down": (port_down, "port-down"),
    "not told": (pend, "reload"),
}


def settled(world: World) -> World:
    world.clock.sleep(10.0)
    return world


def everything(world: World) -> None:
    for work in (lose_pair, lose_rule, detach_group, edit_file, disable, pend, lose_package):
        work(world)
    nodes(world)[0].withdrawn.add("web")
    world.elect()


def recorded(world: World) -> str:
    return find_pair(FakeCloud(world), "web")[1].description
