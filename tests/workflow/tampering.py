"""Records that anybody in the project may edit, as they could be edited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from haos.core.model import (
    FixedIp,
    Member,
    Mode,
    Pair,
)
from haos.errors import HaosError
from haos.workflow import repair, switchover
from haos.workflow.create import Created, create, prepare
from haos.workflow.failover import plan_failover
from haos.workflow.request import CreateRequest, FailoverRequest
from haos.workflow.teardown import teardown
from tests.fakes import SUBNET, World, add_instance, context_of, howto_world, port_of
from tests.records import edit_port, edit_record, recorded, reservation_of

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))


NAME = "ha_first-ha_second"


REBUILD = f"haos repair {NAME} --rebuild-record --network"


def run(world: World, request: CreateRequest = HOWTO) -> Created:
    ctx = context_of(world)
    return create(prepare(request, ctx), ctx, lambda _: None)


def made(request: CreateRequest = HOWTO) -> World:
    world = howto_world()
    add_instance(world, "stranger", 40, "fa:16:3e:00:00:40")
    run(world, request)
    return world


def members_with(world: World, *names: str) -> tuple[Member, ...]:
    """Return the recorded members with these instances' ports in their places."""
    there = recorded(world).members
    ports = [port_of(world, name).id for name in names]
    return tuple(
        replace(there[min(index, len(there) - 1)], port_id=port, priority=240 - 10 * index)
        for index, port in enumerate(ports)
    )


def spelled(old: str, new: str) -> Callable[[World], object]:
    def edit(world: World) -> None:
        text = reservation_of(world).description
        assert old in text
        edit_port(world, description=text.replace(old, new))

    return edit


def text(description: str) -> Callable[[World], object]:
    return lambda world: edit_port(world, description=description)


UNREADABLE: dict[str, Callable[[World], object]] = {
    "empty": text(""),
    "newline": text("\n"),
    "garbage of 255 characters": text("x" * 255),
    "non-ASCII": text("Grüße ☃"),
    "shell": text("$(reboot); `reboot` && reboot | reboot > /etc/passwd"),
    "too long": lambda world: edit_port(world, description=reservation_of(world).description + ",AAAA" * 60),
    "another schema": spelled("haos/1", "haos/2"),
    "the name of another pair": spelled(f"n={NAME}", "n=db"),
    "a name that is a path": spelled(f"n={NAME}", "n=../../etc/passwd"),
    "one member": spelled(",", ";"),
    "a line after it": lambda world: edit_port(world, description=reservation_of(world).description + "\nx"),
    "an interval that is none": spelled("a=300", "a=5"),
    "another MAC": lambda world: edit_port(world, mac="fa:16:3e:12:34:56"),
    "another device_id": lambda world: edit_port(world, device_id="haos-db"),
    "two addresses": lambda world: edit_port(
        world, fixed_ips=(*reservation_of(world).fixed_ips, FixedIp(ip_address("10.200.51.20"), SUBNET))
    ),
}


FOREIGN: dict[str, Callable[[World], object]] = {
    "a port of another project": lambda world: foreign(world, "stranger"),
    "an instance of another project": lambda world: elsewhere(world, "stranger"),
}


IDENTITY: dict[str, Callable[[World], object]] = {
    "the observer as a node": lambda world: edit_record(world, members=members_with(world, "ha_first", "observer")),
    "a stranger as a node": lambda world: edit_record(world, members=members_with(world, "stranger", "ha_second")),
    "one more node": lambda world: edit_record(
        world, members=members_with(world, "ha_first", "ha_second", "stranger")
    ),
    "another VRID": lambda world: edit_port(world, mac="00:00:5e:00:01:63"),
    "as if adopted": lambda world: edit_record(world, adopted=True),
    "another address": lambda world: edit_port(world, fixed_ips=(FixedIp(ip_address("10.200.51.20"), SUBNET),)),
}


SETTINGS: dict[str, Callable[[World], object]] = {
    "members swapped": lambda world: edit_record(world, members=recorded(world).members[::-1]),
    "priorities exchanged": lambda world: edit_record(
        world, members=recorded(world).exchanged(*recorded(world).members).members
    ),
    "other priorities": spelled(":240:", ":99:"),
    "equal priorities": spelled(":230:", ":240:"),
    "another mode": lambda world: edit_record(world, mode=Mode.VMAC),
    "another interval": spelled("a=300", "a=40950"),
    "another delay": spelled("d=5", "d=1000"),
    "no preemption": spelled("d=5", "d=n"),
    "BFD": spelled("v=1", "v=1 b=1"),
}


def foreign(world: World, name: str) -> None:
    port = port_of(world, name)
    world.ports[port.id] = replace(port, project_id="somebody else")
    edit_record(world, members=members_with(world, "ha_first", name))


def elsewhere(world: World, name: str) -> None:
    """A port of the project's own may carry the id of an instance that is not."""
    edit_record(world, members=members_with(world, "ha_first", name))
    instance = next(one for one in world.instances.values() if one.name == name)
    world.instances[instance.id] = replace(instance, project_id="somebody else")


WRITES: dict[str, Callable[[World], object]] = {
    "create": run,
    "create with an option": lambda world: run(world, replace(HOWTO, checks=())),
    "repair": lambda world: repair.prepare(NAME, None, context_of(world)),
    "switchover": lambda world: switchover.prepare(NAME, None, back=False, observer_ref=None, ctx=context_of(world)),
    "failover-test": lambda world: plan_failover(FailoverRequest(NAME), context_of(world)),
    "teardown": lambda world: teardown(NAME, purge=True, ctx=context_of(world)),
    "teardown --force": lambda world: teardown(NAME, purge=True, ctx=context_of(world), force=True),
}


def refused(world: World, command: Callable[[World], object]) -> HaosError:
    """Run a command that must refuse, in one line, with a hint, and do nothing."""
    before, done = world.snapshot(), len(world.effects.names)
    with pytest.raises(HaosError) as caught:
        command(world)
    assert world.effects.names[done:] == []
    assert world.snapshot() == before
    assert caught.value.hint
    assert "\n" not in f"{caught.value}{caught.value.hint}"
    return caught.value


def encoded(pair: Pair) -> str:
    from haos.core import record

    return record.encode(pair)
