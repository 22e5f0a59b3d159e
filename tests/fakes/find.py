"""Find things of the in-memory world, and change a port as anybody in the project may."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from haos.core.model import Port

if TYPE_CHECKING:
    from tests.fakes.node import FakeNode
    from tests.fakes.world import World


def node(world: World, name: str) -> FakeNode:
    """Return a node by its instance's name."""
    return next(one for one in world.nodes.values() if one.instance.name == name)


def port_of(world: World, whose: FakeNode | str) -> Port:
    """Return the port of a node, which may be given by its instance's name."""
    mac = (node(world, whose) if isinstance(whose, str) else whose).mac
    return next(port for port in world.ports.values() if port.mac == mac)


def change_port(world: World, whose: FakeNode | str, **fields: object) -> None:
    """Change the port of a node."""
    port = port_of(world, whose)
    world.ports[port.id] = replace(port, **fields)  # type: ignore[arg-type]
