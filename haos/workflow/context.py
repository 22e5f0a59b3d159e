"""What the workflows need of the world, as Protocols; `haos.adapters` and `tests/fakes.py` provide them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from haos.core.changes import PortAmendment as PortAmendment
from haos.core.changes import Reservation as Reservation
from haos.core.clocks import Moment
from haos.core.fault import FaultOrder, NodeLog
from haos.core.intent import Intent
from haos.core.model import (
    Address,
    CloudNetwork,
    FloatingIp,
    Instance,
    InstanceAction,
    Pair,
    Port,
    Quota,
    Router,
    SecurityGroup,
    SecurityRule,
    Subnet,
)
from haos.core.node import NodeConfig, NodeFacts, Removal, Removed, Sight, Survey
from haos.core.probe import NO_SERVICE, History, Service
from haos.core.turn import Turn
from haos.errors import HaosError


class Cloud(Protocol):
    """The project's view of Neutron and Nova. Every method is as few API requests as it can be (said in each).

    Raises only errors of haos.errors.
    """

    def project_id(self) -> str:
        """Return the token's project (no request beyond authentication)."""

    def networks(self, names_or_ids: Sequence[str]) -> dict[str, CloudNetwork]:
        """Find networks, each reference -> the one: by name first, by id second (1 request; ids 1 more each).

        Raises NotFoundError or AmbiguousError.
        """

    def network_by_id(self, network_id: str) -> CloudNetwork:
        """Get a network (1 request)."""

    def networks_by_id(self, ids: Sequence[str]) -> dict[str, CloudNetwork]:
        """Get networks by id, those that are visible (1 request for 50)."""

    def subnets(self, network_id: str) -> tuple[Subnet, ...]:
        """List a network's subnets (1 request)."""

    def ports(self, network_id: str) -> tuple[Port, ...]:
        """List every port that is visible on a network (1 request a page)."""

    def port(self, port_id: str) -> Port:
        """Get a port as it is now (1 request). Raises NotFoundError."""

    def ports_by_id(self, ids: Sequence[str]) -> dict[str, Port]:
        """Get ports by id, those that still exist (1 request for 50)."""

    def instances(self, names_or_ids: Sequence[str]) -> dict[str, tuple[Instance, ...]]:
        """Find instances by exact name or id: each reference -> all that match, () if none (1 request; ids more)."""

    def instances_tagged(self, tag: str) -> tuple[Instance, ...]:
        """List instances with a server tag (1 request)."""

    def instances_by_id(self, ids: Sequence[str]) -> dict[str, Instance]:
        """Get instances by id, those that still exist (1 request)."""

    def console_log(self, instance_id: str) -> str:
        """Return the tail of an instance's console log (1 request)."""

    def extensions(self) -> frozenset[str]:
        """Return the aliases of Neutron's extensions (1 request)."""

    def quota(self) -> Quota:
        """Return what is left of the project's quota (1 request)."""

    def groups(self, ids: Sequence[str]) -> tuple[SecurityGroup, ...]:
        """Get security groups with their rules (1 request)."""

    def groups_named(self, name: str) -> tuple[SecurityGroup, ...]:
        """List the project's security groups of that name (1 request)."""

    def routers(self, ids: Sequence[str]) -> tuple[Router, ...]:
        """Get routers by id, those that are visible (1 request)."""

    def floating_ips(self, *, needed: bool = False) -> tuple[FloatingIp, ...]:
        """List the project's floating IPs (1 request); none where the cloud has no such thing, unless `needed`."""

    def make_floating_ip(self, network_id: str, port_id: str, fixed: Address, description: str) -> FloatingIp:
        """Make a floating IP that leads to an address of a port (1 request).

        An answer that was lost is looked up and adopted, never repeated blindly. Raises QuotaError, or
        UnsatisfiableError where no router leads there, or another one leads to the address already.
        """

    def take_floating_ip(self, floating: FloatingIp, port_id: str, fixed: Address) -> FloatingIp:
        """Let a floating IP that leads nowhere lead to an address of a port (1 request).

        CloudError if it leads elsewhere by now; an answer that was lost is looked up.
        """

    def mark_floating_ip(self, floating: FloatingIp, description: str) -> FloatingIp:
        """Give a floating IP a description, which says whose it is (1 request); safe to repeat."""

    def release_floating_ip(self, floating: FloatingIp) -> None:
        """Let a floating IP lead nowhere, unless it leads elsewhere by now; one that is gone is fine (1 request)."""

    def delete_floating_ip(self, floating_id: str) -> None:
        """Delete a floating IP; one that is gone already is fine (1 request)."""

    def reservations(self) -> tuple[Port, ...]:
        """List the project's ports whose device_owner is haos:vip (1 request)."""

    def reserve(self, reservation: Reservation) -> Port:
        """Create the reservation port (1 request).

        Raises AddressTakenError, MacTakenError, QuotaError or ForbiddenError.

        An answer that was lost is looked up and adopted, never repeated blindly.
        """

    def describe(self, port: Port, description: str) -> Port:
        """Rewrite the record on a reservation port (1 request, 2 more each time that something else of it changed).

        CloudError if the record is not the one of `port` any more; an answer that was lost is looked up.
        """

    def adopt(self, port: Port, *, device_id: str, description: str) -> Port:
        """Make an existing unbound port a reservation: owner, device_id, record (1 request).

        CloudError if it was changed since it was read; an answer that was lost is looked up.
        """

    def release_adopted(self, port_id: str) -> None:
        """Take owner, device_id and record off a port that was adopted; one that is gone is fine (1 request)."""

    def delete_port(self, port_id: str) -> None:
        """Delete a port; one that is gone already is fine (1 request)."""

    def make_group(self, name: str, description: str, rules: Sequence[SecurityRule]) -> SecurityGroup:
        """Create a security group with exactly these rules, Neutron's default egress rules deleted (2 + n requests).

        Undoes itself if it cannot finish.
        """

    def mark_group(self, group: SecurityGroup, description: str) -> SecurityGroup:
        """Give a security group a description, which says whose it is (1 request); safe to repeat."""

    def set_rules(self, group: SecurityGroup, rules: Sequence[SecurityRule]) -> SecurityGroup:
        """Bring a group of ours to exactly these rules: adds what is missing, then deletes what is not wanted.

        1 request for all that is added, 1 for each that is deleted; none if nothing would change. "vrrp" is "112".
        """

    def delete_group(self, group_id: str) -> None:
        """Delete a security group; one that is gone already is fine (1 request)."""

    def amend_port(self, port: Port, amendment: PortAmendment) -> Port:
        """Add and take away on one port under If-Match, from the state given; on 412 read, merge, again.

        One PUT carries pairs and groups together; no request at all if nothing would change. A port that is
        gone raises NotFoundError.
        """

    def set_port_up(self, port_id: str, up: bool) -> None:
        """Set a port's administrative state (1 request); a port that is so already is fine."""

    def instance_action(self, instance_id: str, action: InstanceAction) -> None:
        """Order it and return once the order is taken, or was before (1 request; 2 where the instance is at it).

        CloudError if the instance is in a state that does not allow it, as while something else is done to it.
        """

    def add_tag(self, port_id: str, tag: str) -> None:
        """Put a tag on a port; one that is there already is fine (1 request)."""

    def remove_tag(self, port_id: str, tag: str) -> None:
        """Take a tag off a port; one that is gone, and a port that is, are fine (1 request)."""


class NodeAgent(Protocol):
    """One node, over one SSH connection. Each method is one script with a time limit of its own.

    Raises HostKeyError, LoginError, RemoteError or StepError.
    """

    def facts(self, mac: str) -> NodeFacts:
        """Look at the node; `mac` names the port's device. Changes nothing."""

    def install_keepalived(self) -> str:
        """Install the package (no service is started by it) and mark it as ours; return its version."""

    def packager(self) -> str | None:
        """Return who works with packages there, beside haos, so that an installation has to wait; None: nobody."""

    def configure(self, config: NodeConfig) -> bool:
        """Put the files in place, tested before and after; return whether anything changed. Starts nothing."""

    def activate(self) -> None:
        """Enable the daemon and let it run the files that are there now: start it, or reload it."""

    def weigh(self, pair: str, weight: int) -> None:
        """Let this pair's instance count so much more, or less, than its priority says; returns once it does."""

    def sight(self, pair: str, vip: Address) -> Sight:
        """Ask for the node's own view of the pair."""

    def survey(self, own: Address, addresses: Sequence[Address], *, listen_s: float) -> Survey:
        """Ask the segment of an address of its own who has others; listen for VRRP meanwhile. Changes nothing."""

    def remove(self, removal: Removal) -> Removed:
        """Take the pair off the node; the shared files go with the last pair. Safe to repeat."""

    def inject(self, order: FaultOrder) -> float:
        """Arm the node's own timer, then make the fault (after order.delay_s, where it cuts the way back).

        Returns the node's wall clock at which it came, or is to come. Raises StepError if one is under way there.
        """

    def heal(self) -> bool:
        """Undo every fault of haos that is there, and disarm its timer; return whether there was one. Repeatable."""

    def watch(self, vip: Address, *, limit_s: float) -> None:
        """Write down from now on when the VIP comes and goes; ends by itself after limit_s.

        Raises StepError ("another failover test is at work on NODE") if one is watching already.
        """

    def watched(self) -> NodeLog:
        """Return what was written down."""

    def unwatch(self) -> bool:
        """Stop writing down and leave nothing; return whether it was written down. Safe to repeat."""

    def wall_s(self) -> float:
        """Return the node's wall clock; one cheap round trip without sudo."""

    def claim(self, turn: Turn) -> str | None:
        """Take the node for one run, for a while, or keep it for longer; return who has it instead, in words.

        Raises StepError where no pair is on the node.
        """

    def unclaim(self, turn: Turn) -> None:
        """Give the node back; another run's turn stays. Safe to repeat."""


class Probe(Protocol):
    """A probe run that is under way on the observer."""

    def mark(self, label: str) -> None:
        """Name this moment in the history."""

    def when(self, local_s: float) -> Moment:
        """Return that time of haos's own monotonic clock (Clock.now_s) on the observer's."""

    def history(self) -> History:
        """Return what has been reported so far."""

    def wait(self, condition: Callable[[History], bool], timeout_s: float) -> bool:
        """Wait until the growing history satisfies the condition; False at the deadline or when the probe is lost."""

    def stop(self) -> History:
        """End the run and return the whole history."""


class Observer(Protocol):
    """The third instance, over one SSH connection."""

    def abilities(self) -> frozenset[str]:
        """Return what it can: "root", "python" (one that may send ICMP), "ping"; asked once."""

    def neighbour(self, vip: Address) -> str | None:
        """Return the MAC that the observer's own neighbour table has for the VIP."""

    def start_probe(self, vip: Address, *, interval_s: float, service: Service = NO_SERVICE) -> Probe:
        """Start probing, the service behind the VIP too where asked; returns once the first probe has left.

        What of the service cannot be asked from there is said in `History.notes`.
        """


class Fleet(Protocol):
    """Gives out connections to instances; all are closed with it."""

    def node(self, instance: Instance) -> NodeAgent:
        """Connect to a node (kept for the whole run)."""

    def observer(self, instance: Instance) -> Observer:
        """Connect to the observer (kept for the whole run)."""

    def awaited(self, instance: Instance) -> HaosError | None:
        """Return why an instance that is being connected to has not been reached so far; None where nobody knows."""

    def renew(self, instance: Instance) -> None:
        """Drop the connection to an instance that was cut off or restarted: the next call connects anew."""

    def trust_anew(self, instance: Instance, fingerprints: Sequence[str]) -> None:
        """Keep, in place of the host keys that haos kept of an instance, those that its console log shows.

        Only if they are these ("ED25519 SHA256:…"), and it shows one of them. The user's own known_hosts are never
        touched. Raises HostKeyError.
        """

    def close(self) -> None:
        """Close every connection."""


class Clock(Protocol):
    """Time, replaceable in tests."""

    def now_s(self) -> float:
        """Return seconds on a monotonic clock."""

    def wall_s(self) -> float:
        """Return seconds since the epoch, by this machine's wall clock."""

    def sleep(self, seconds: float) -> None:
        """Let time pass between two looks at a condition."""


class Guardian(Protocol):
    """What undoes a fault made through the API if haos dies: a process of its own."""

    def watch_over(self, pair: Pair, intent: Intent) -> AbstractContextManager[None]:
        """Have it ready (logged in to the cloud) while the context lasts. Raises CloudError where it is not.

        It ends with a context that ends well. Otherwise, or if haos dies, or when the announced time has passed,
        it undoes the fault if that is still announced, and takes the announcement back.
        """


class Progress(Protocol):
    """Where a workflow says what it does; the view decides how it looks."""

    def step(self, title: str) -> AbstractContextManager[None]:
        """Show a step for as long as it lasts; an error that leaves it marks it as failed."""

    def measuring(
        self, title: str, look: Callable[[], History], names: Mapping[str, str]
    ) -> AbstractContextManager[None]:
        """Show a step during which the VIP is asked: `look` returns what is known so far, `names` says MAC -> node.

        `look` is called from another thread, some times a second.
        """

    def note(self, text: str) -> None:
        """Show something worth a line of its own."""


@dataclass(frozen=True)
class Context:
    """The world that a workflow runs in."""

    cloud: Cloud
    fleet: Fleet
    clock: Clock
    progress: Progress
    guardian: Guardian
