"""An in-memory world for the workflows: Neutron's and Nova's rules as far as they matter, nodes, a VIP that moves.

Effects are counted, so that a test can fail, or kill haos, at each of them in turn.
"""

from tests.fakes.clock import FakeClock
from tests.fakes.cloud import PROJECT, FakeCloud
from tests.fakes.context import FakeFleet, Quiet, context_of
from tests.fakes.effects import Killed, killed_at
from tests.fakes.find import change_port, node, port_of
from tests.fakes.guardian import FakeGuardian
from tests.fakes.howto import GROUP, NETWORK, SUBNET, add_instance, howto_world, routed_world
from tests.fakes.node import FakeNode
from tests.fakes.observer import FakeObserver, FakeProbe
from tests.fakes.world import World

__all__ = [
    "GROUP",
    "NETWORK",
    "PROJECT",
    "SUBNET",
    "FakeClock",
    "FakeCloud",
    "FakeFleet",
    "FakeGuardian",
    "FakeNode",
    "FakeObserver",
    "FakeProbe",
    "Killed",
    "Quiet",
    "World",
    "add_instance",
    "change_port",
    "context_of",
    "howto_world",
    "killed_at",
    "node",
    "port_of",
    "routed_world",
]
