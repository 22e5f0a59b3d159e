"""Records in a fake world: as somebody may edit one, and as haos itself would have written it everywhere."""

from __future__ import annotations

from dataclasses import replace

from haos.core import record
from haos.core.model import RESERVATION_OWNER, Pair, Port
from haos.core.nodeconf import node_record
from tests.fakes import World


def reservation_of(world: World) -> Port:
    """Return the only reservation port."""
    [port] = [port for port in world.ports.values() if port.device_owner == RESERVATION_OWNER]
    return port


def recorded(world: World) -> Pair:
    """Return the only pair, as its record says."""
    return record.decode(reservation_of(world))


def edit_port(world: World, **changes: object) -> None:
    """Change the reservation port, as any member of the project may."""
    port = reservation_of(world)
    world.ports[port.id] = replace(port, **changes)  # type: ignore[arg-type]


def edit_record(world: World, **changes: object) -> Pair:
    """Change what the record says, and nothing on the nodes."""
    pair = replace(recorded(world), **changes)  # type: ignore[arg-type]
    edit_port(world, description=record.encode(pair))
    return pair


def write_everywhere(world: World, **changes: object) -> Pair:
    """Change what the record says, and what the nodes' files carry of it."""
    before = node_record(recorded(world))
    after = edit_record(world, **changes)
    for node in world.nodes.values():
        for name, config in node.files.items():
            files = (replace(file, text=file.text.replace(before, node_record(after))) for file in config.files)
            node.files[name] = replace(config, files=tuple(files))
    return after
