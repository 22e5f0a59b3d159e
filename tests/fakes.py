"""An in-memory world for the workflows: Neutron's and Nova's rules as far as they matter, nodes, a VIP that moves.

Effects are counted, so that a test can fail, or kill haos, at each of them in turn.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from threading import RLock
from uuid import UUID

from haos.core.changes import PortAmendment, Reservation
from haos.core.clocks import Moment
from haos.core.intent import Intent
from haos.core.model import (
    RESERVATION_OWNER,
    Address,
    AddressPair,
    CloudNetwork,
    FixedIp,
    FloatingIp,
    Instance,
    InstanceAction,
    Pair,
    Pool,
    Port,
    Quota,
    Role,
    Router,
    SecurityGroup,
    SecurityRule,
    Subnet,
    virtual_mac,
)
from haos.core.node import NodeConfig, NodeFacts, Removal, Removed, Sight, Survey
from haos.core.probe import NO_SERVICE, Ask, Echo, FlowEvent, History, Mark, Service, Try
from haos.core.security import rule_changes
from haos.errors import (
    AddressTakenError,
    CloudError,
    HaosError,
    MacTakenError,
    NotFoundError,
    RebuiltError,
    RemoteError,
    StepError,
)
from haos.workflow.context import Context
from haos.workflow.guard import undo_if_announced
from tests.fake_faults import SPLIT, FaultyNode
from tests.fake_floating import FloatingCloud, add_router

PROJECT = "26cfbd9d4ee64d8faecd287bb39d3870"
NETWORK = "56412e9d-045b-453a-8e09-e3584a8ebaf4"
SUBNET = "9a027a94-e688-45cb-a653-e223ccc9f72f"
GROUP = "aaaaaaaa-0000-4000-8000-000000000001"
TAKEOVER_S = 0.02
EPOCH_S = 1_795_470_000.0
"""When the fake clock's zero was."""
BEFORE = {
    InstanceAction.START: "SHUTOFF",
    InstanceAction.STOP: "ACTIVE",
    InstanceAction.PAUSE: "ACTIVE",
    InstanceAction.UNPAUSE: "PAUSED",
}
"""The status in which Nova does it."""


ELECTING = RLock()
"""Nodes are worked at side by side, and elect each in its own thread. A world cannot have it: worlds are copied."""


class Killed(BaseException):
    """SIGKILL: nothing of haos runs after it."""


@dataclass
class FakeClock:
    now: float = 1000.0
    due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def now_s(self) -> float:
        return self.now

    def wall_s(self) -> float:
        return EPOCH_S + self.now

    def at(self, when_s: float, do: Callable[[], None]) -> None:
        """Let something happen as time passes."""
        self.due.append((when_s, do))

    def sleep(self, seconds: float) -> None:
        until_s = self.now + seconds
        while (first := min(self.due, key=lambda item: item[0], default=None)) and first[0] <= until_s:
            self.due.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = until_s


@dataclass
class Effects:
    """Counts outside effects; `strike` is called with (index, name, "before" | "after")."""

    names: list[str] = field(default_factory=list)
    strike: Callable[[int, str, str], None] = lambda index, name, when: None
    _killed_by: Callable[[int, str, str], None] | None = None

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        index = len(self.names)
        self.names.append(name)
        try:
            self.strike(index, name, "before")
            yield
            self.strike(index, name, "after")
        except Killed:
            self._killed_by = self.strike
            raise

    @property
    def killed(self) -> bool:
        """Whether haos was killed: what it would do while Python unwinds, and counts for no effect, is not done."""
        return self._killed_by is self.strike


def killed_at(at: int, when: str) -> Callable[[int, str, str], None]:
    """Return a strike that kills haos at one effect: no later one comes to anything, though Python still unwinds."""

    def strike(index: int, _: str, moment: str) -> None:
        if index > at or (index, moment) == (at, when):
            raise Killed

    return strike


@dataclass
class World:
    """Cloud, nodes, time."""

    clock: FakeClock = field(default_factory=FakeClock)
    effects: Effects = field(default_factory=Effects)
    networks: dict[str, CloudNetwork] = field(default_factory=dict)
    subnets: dict[str, Subnet] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    groups: dict[str, SecurityGroup] = field(default_factory=dict)
    routers: dict[str, Router] = field(default_factory=dict)
    floating: dict[str, FloatingIp] = field(default_factory=dict)
    floating_left: int = 50  # of the quota
    floating_hidden: bool = False  # the user may not list them
    nodes: dict[str, FakeNode] = field(default_factory=dict)  # by instance id
    holders: list[tuple[float, str | None]] = field(default_factory=list)  # when -> MAC that answers
    splits: list[tuple[str, float, float | None]] = field(default_factory=list)  # MAC that answers too, from, to
    unreachable: set[str] = field(default_factory=set)
    awaited: dict[str, HaosError] = field(default_factory=dict)  # instance id -> why it has not been reached so far
    rebuilt: dict[str, tuple[str, ...]] = field(default_factory=dict)  # instance id -> the host keys that it has now
    takeover_s: float = TAKEOVER_S
    answers: dict[Address, str] = field(default_factory=dict)  # what answers ARP beside the cloud's ports -> its MAC
    heard: frozenset[tuple[int, int]] = frozenset()  # (VRID, IP version) of routers that are not the cloud's
    fabric: str = "learning"
    """Or "ovs": a virtual MAC reaches one node only; "ovn": the port that has it; "arp-cache": see arp_reply."""
    arp_cache: dict[Address, str] = field(default_factory=dict)
    no_service: set[str] = field(default_factory=set)  # MACs of nodes on which the service does not run
    observer_can: frozenset[str] = frozenset({"root", "python", "ping"})
    watches: list[Watch] = field(default_factory=list)
    made: int = 0
    nova_s: float = 0.0  # how long Nova goes on showing an instance as it was before an action
    acted: dict[str, tuple[float, InstanceAction, Instance]] = field(default_factory=dict)  # -> (when, what, before)

    def __deepcopy__(self, memo: dict[int, object]) -> World:
        """Copy what changes; what is frozen both worlds can have, and it is most of a world."""
        tables: list[Mapping[str, object]] = [self.networks, self.subnets, self.ports, self.instances, self.groups]
        tables += [self.routers, self.floating, *(node.files for node in self.nodes.values())]
        for table in tables:
            memo.update((id(one), one) for one in table.values())
        memo[id(self)] = world = World()
        vars(world).update({name: copy.deepcopy(value, memo) for name, value in vars(self).items()})
        return world

    def new_id(self) -> str:
        self.made += 1
        return str(UUID(int=self.made, version=4))

    def snapshot(self) -> object:
        """All state that a user could compare, without revisions."""
        return (
            {key: replace(port, revision=None) for key, port in self.ports.items()},
            {key: replace(one, rules=tuple(sorted(one.rules, key=repr))) for key, one in self.groups.items()},
            {key: node.snapshot() for key, node in self.nodes.items()},
            dict(self.instances),
            {key: replace(ip, revision=None) for key, ip in self.floating.items()},
        )

    def shown(self, instance: Instance) -> Instance:
        """Return the instance as Nova shows it now."""
        when, _, before = self.acted.get(instance.id, (float("-inf"), None, instance))
        return before if self.clock.now < when + self.nova_s else instance

    def holder(self) -> str | None:
        now = self.clock.now
        return next((mac for at, mac in reversed(self.holders) if at <= now), None)

    def split_at(self, at_s: float) -> frozenset[str]:
        """Return the MACs that went on answering for the VIP at that time, though peers had given their node up."""
        return frozenset(
            mac for mac, since, until in self.splits if since <= at_s and (until is None or at_s < until)
        )

    def reunite(self) -> None:
        """End a split: of those who are Active, the one with the highest priority stays so at once."""
        now, current = self.clock.now, self.holder()
        active = [node for node in self.nodes.values() if node.mac == current or node.mac in self.split_at(now)]
        self.splits = [(mac, since, now if until is None else until) for mac, since, until in self.splits]
        speaking = [node for node in active if node.speaks()]
        if best := max(speaking, key=lambda node: node.priority, default=None):
            self.holders = [event for event in self.holders if event[0] <= now]
            self.holders += [(now, best.mac)] * (best.mac != current)

    def arp_reply(self, vip: Address, holder: str | None) -> str | None:
        """Return the MAC that the network names for the VIP; "arp-cache" keeps to the first that it heard."""
        node = next((one for one in self.nodes.values() if one.mac == holder), None)
        own = None
        if node is not None and self.admitted(vip, node):
            own = node.virtual_mac or node.mac
        if self.fabric == "arp-cache":
            return self.arp_cache.setdefault(vip, own) if own else self.arp_cache.get(vip)
        return own

    def admitted(self, vip: Address, node: FakeNode) -> bool:
        """Say whether port security lets the node speak for the VIP."""
        macs = {node.mac, node.virtual_mac or node.mac}
        port = next(port for port in self.ports.values() if port.mac == node.mac)
        return not port.port_security or macs <= {pair.mac_address for pair in port.pairs if pair.covers(vip)}

    def echo_reply(self, vip: Address, holder: str | None) -> str | None:
        """Return the MAC that an echo is answered from, None where it does not get through."""
        node = next((one for one in self.nodes.values() if one.mac == holder), None)
        named = self.arp_reply(vip, holder)
        if node is None or named not in (node.mac, node.virtual_mac):
            return None
        pinned = next(iter(self.nodes.values()))
        if self.fabric == "ovs" and node.virtual_mac and node is not pinned:
            return None
        if self.fabric == "ovn" and node.virtual_mac in {port.mac for port in self.ports.values()}:
            return None
        return node.mac

    def elect(self) -> None:
        """Let VRRP choose anew after something changed on a node; who chooses last knows of all changes."""
        with ELECTING:
            self._elect()

    def _elect(self) -> None:
        candidates = [node for node in self.nodes.values() if node.speaks()]
        best = max(candidates, key=lambda node: node.priority, default=None)
        now, current = self.clock.now, self.holder()
        self.holders = [event for event in self.holders if event[0] <= now]
        target = best.mac if best else None
        alive = {node.mac for node in candidates}
        if target == current:
            return
        if current in alive and best is not None and not best.preempts:
            return
        if any(node.mac == current and best and node.priority == best.priority for node in candidates):
            return  # whoever is Active stays so until it hears a higher priority
        if any(node.mac == current and node.effective in SPLIT for node in self.nodes.values()):
            self.splits.append((str(current), now, None))
            self.holders += [(now + self.takeover_s, target)] * (target is not None)
            return
        if current in alive and best is not None:
            self.holders.append((now + best.preempt_delay_s, target))
        else:
            self.holders += [(now, None), (now + self.takeover_s, target)]


@dataclass
class FakeNode(FaultyNode):
    """A node as NodeAgent; its keepalived follows World.elect."""

    world: World
    instance: Instance
    mac: str
    address: Address
    package: str | None = None
    daemon: bool = False
    enabled: bool = False
    files: dict[str, NodeConfig] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    package_by_haos: bool = False
    pending: bool = False
    weights: dict[str, int] = field(default_factory=dict)
    preempt_delay_s: float = 1.0  # shorter than the default: every look in between costs a test real time

    @property
    def priority(self) -> int:
        text = "".join(file.text for config in self.files.values() for file in config.files)
        own = next((int(line.split()[1]) for line in text.splitlines() if line.strip().startswith("priority ")), 0)
        return max(1, min(254, own + sum(self.weights.values())))

    @property
    def _texts(self) -> str:
        return "".join(file.text for config in self.files.values() for file in config.files)

    @property
    def preempts(self) -> bool:
        return "    nopreempt\n" not in self._texts

    @property
    def virtual_mac(self) -> str | None:
        if "    use_vmac " not in self._texts:
            return None
        config = next(iter(self.files.values()))
        return virtual_mac(config.vrid, config.vip.version)

    def snapshot(self) -> object:
        package = (self.package, self.package_by_haos)
        test = (self.fault, self._began_s is not None)
        return (package, self.daemon, self.enabled, dict(self.files), set(self.withdrawn), dict(self.weights), test)

    def speaks(self) -> bool:
        """Say whether its peers hear of it."""
        runs = self.daemon and bool(self.running - self.withdrawn)
        return self.plugged_in() and runs and self.effective in (None, "stop", "withdraw")

    def facts(self, mac: str) -> NodeFacts:
        self._reach()
        assert mac == self.mac
        texts = {file.path: file.text for config in self.files.values() for file in config.files}
        return NodeFacts(
            hostname=self.instance.name,
            os_name="Debian GNU/Linux 12 (bookworm)",
            package_manager="apt",
            systemd=True,
            interface="ens3",
            addresses=(self.address,),
            keepalived=self.package,
            daemon_active=self.daemon,
            daemon_enabled=self.enabled,
            main_config=texts.get("/etc/keepalived/keepalived.conf"),
            pair_files={
                name: next(file.text for file in config.files if file.path.endswith(f"/{name}.conf"))
                for name, config in self.files.items()
            },
            withdrawn=frozenset(self.withdrawn),
            pending=self.pending,
            fault=self.fault.fault if self.fault else None,
            tested=self._began_s is not None,
            weights=dict(self.weights),
            check_files={
                file.path.rpartition("/")[2]: file.text
                for config in self.files.values()
                for file in config.files
                if ".check-" in file.path
            },
            drop_in=next((text for path, text in texts.items() if "keepalived.service.d" in path), None),
            release_script=next((text for path, text in texts.items() if path.endswith("release-vips")), None),
            package_by_haos=self.package_by_haos,
            features=frozenset({"vmac", "json", "bfd"}) if self.package else frozenset(),
            script_security=True,
            realtime=True,
        )

    def packager(self) -> str | None:
        return None

    def install_keepalived(self) -> str:
        self._reach()
        with self.world.effects.effect(f"install {self.instance.name}"):
            self.package, self.package_by_haos = "2.2.7", True
        return "2.2.7"

    def configure(self, config: NodeConfig) -> bool:
        self._reach()
        with self.world.effects.effect(f"configure {self.instance.name}"):
            self.end_fault()
            old = self.files.get(config.pair)
            if old and config.pair in self.running - self.withdrawn and (old.vmac is None) != (config.vmac is None):
                raise StepError("the mode of a pair that runs does not survive a reload")
            changed = old != config
            self.files[config.pair] = config
            self.withdrawn.discard(config.pair)
            self.pending = self.pending or changed
        return changed

    def activate(self) -> None:
        self._reach()
        with self.world.effects.effect(f"activate {self.instance.name}"):
            self.daemon = self.enabled = True
            self.pending = False
            self.running = set(self.files)
            self.world.elect()

    def withdraw(self, pair: str) -> None:
        with self.world.effects.effect(f"withdraw {self.instance.name}"):
            self.withdrawn.add(pair)
            self.world.elect()

    def reinstate(self, pair: str) -> None:
        with self.world.effects.effect(f"reinstate {self.instance.name}"):
            self.withdrawn.discard(pair)
            self.world.elect()

    def weigh(self, pair: str, weight: int) -> None:
        self._reach()
        with self.world.effects.effect(f"weigh {self.instance.name}"):
            self.weights.pop(pair, None)
            if weight:
                self.weights[pair] = weight
            self.world.elect()

    def sight(self, pair: str, vip: Address) -> Sight:
        self._reach()
        holds = self.held_at(self.world.clock.now)
        if self.effective == "hang":
            return Sight(Role.UNKNOWN, holds, True)
        if self.effective == "check-fail":
            return Sight(Role.FAULT, False, True)
        if not self.speaks() and self.effective != "vrrp-block":
            return Sight(Role.STOPPED, False, self.daemon and self.effective != "kill")
        return Sight(Role.ACTIVE if holds else Role.BACKUP, holds, True)

    def survey(self, own: Address, addresses: Sequence[Address], *, listen_s: float) -> Survey:
        self._reach()
        answers = {address: mac for address, mac in self.world.answers.items() if address in addresses}
        holder = self.world.holder()
        vips = [fixed.address for port in self.world.ports.values() for fixed in port.fixed_ips
                if port.device_owner == RESERVATION_OWNER]  # fmt: skip
        for address in addresses:
            held = holder if address in vips and holder != self.mac else None
            if mac := self.world.arp_reply(address, held):
                answers[address] = mac
        return Survey(answers, self.world.heard)

    def remove(self, removal: Removal) -> Removed:
        self._reach()
        with self.world.effects.effect(f"remove {self.instance.name}"):
            self.end_fault()
            self.running.discard(removal.pair)
            if removal.returning:
                self.withdrawn |= {removal.pair} & set(self.files)
                self.daemon = self.daemon and bool(set(self.files) - self.withdrawn)
                self.world.elect()
                return Removed()
            self.files.pop(removal.pair, None)
            if self._turn is not None and self._turn[0].pair == removal.pair:
                self._turn = None
            self.weights.pop(removal.pair, None)
            self.withdrawn.discard(removal.pair)
            if not self.files:
                self.daemon = self.enabled = self.pending = False
                if removal.purge_package and self.package_by_haos:
                    self.package = None
                self.package_by_haos = False
            self.world.elect()
        return Removed((f"removed {removal.pair}",))


@dataclass
class FakeCloud(FloatingCloud):
    """Neutron and Nova as one member of the owning project sees them."""

    world: World
    requests: int = 0

    def project_id(self) -> str:
        return PROJECT

    def networks(self, names_or_ids: Sequence[str]) -> dict[str, CloudNetwork]:
        return {ref: self._network(ref) for ref in names_or_ids}

    def _network(self, name_or_id: str) -> CloudNetwork:
        for network in self.world.networks.values():
            if name_or_id in (network.name, network.id):
                return network
        raise NotFoundError(f"no network {name_or_id!r}")

    def network_by_id(self, network_id: str) -> CloudNetwork:
        return self._network(network_id)

    def networks_by_id(self, ids: Sequence[str]) -> dict[str, CloudNetwork]:
        self.requests += 1
        return {one: self.world.networks[one] for one in ids if one in self.world.networks}

    def ports_by_id(self, ids: Sequence[str]) -> dict[str, Port]:
        self.requests += 1
        return {one: self.world.ports[one] for one in ids if one in self.world.ports}

    def subnets(self, network_id: str) -> tuple[Subnet, ...]:
        return tuple(subnet for subnet in self.world.subnets.values() if subnet.network_id == network_id)

    def ports(self, network_id: str) -> tuple[Port, ...]:
        return tuple(port for port in self.world.ports.values() if port.network_id == network_id)

    def port(self, port_id: str) -> Port:
        if port_id not in self.world.ports:
            raise NotFoundError(f"no port {port_id}")
        return self.world.ports[port_id]

    def instances(self, names_or_ids: Sequence[str]) -> dict[str, tuple[Instance, ...]]:
        everyone = [self.world.shown(one) for one in self.world.instances.values()]
        return {ref: tuple(one for one in everyone if ref in (one.name, one.id)) for ref in names_or_ids}

    def instances_tagged(self, tag: str) -> tuple[Instance, ...]:
        return tuple(one for one in self.world.instances.values() if tag in one.tags)

    def instances_by_id(self, ids: Sequence[str]) -> dict[str, Instance]:
        everyone = self.world.instances
        return {one: self.world.shown(everyone[one]) for one in ids if one in everyone}

    def console_log(self, instance_id: str) -> str:
        return ""

    def extensions(self) -> frozenset[str]:
        return frozenset({"allowed-address-pairs", "port-security", "standard-attr-revisions", "revision-if-match"})

    def quota(self) -> Quota:
        return Quota(ports=100, groups=10, rules=100, floating_ips=self.world.floating_left)

    def groups(self, ids: Sequence[str]) -> tuple[SecurityGroup, ...]:
        return tuple(self.world.groups[one] for one in ids if one in self.world.groups)

    def groups_named(self, name: str) -> tuple[SecurityGroup, ...]:
        return tuple(group for group in self.world.groups.values() if group.name == name)

    def reservations(self) -> tuple[Port, ...]:
        return tuple(port for port in self.world.ports.values() if port.device_owner == RESERVATION_OWNER)

    def reserve(self, reservation: Reservation) -> Port:
        for port in self.world.ports.values():
            if any(fixed.address == reservation.address for fixed in port.fixed_ips):
                raise AddressTakenError(f"{reservation.address} is taken")
            if port.mac == reservation.mac:
                raise MacTakenError(f"{reservation.mac} is taken")
        port_id = self.world.new_id()
        port = Port(
            id=port_id,
            network_id=reservation.network_id,
            project_id=PROJECT,
            mac=reservation.mac or f"fa:16:3e:ff:00:{self.world.made:02x}",
            fixed_ips=(FixedIp(reservation.address, reservation.subnet_id),),
            name=reservation.name,
            device_id=reservation.device_id,
            device_owner=RESERVATION_OWNER,
            description=reservation.description,
            revision=1,
        )
        with self.world.effects.effect("reserve"):
            self.world.ports[port.id] = port
        return port

    def describe(self, port: Port, description: str) -> Port:
        now = self.port(port.id)
        if now.description != port.description:
            raise CloudError("the record was changed by somebody else meanwhile")
        return self._put("describe", port.id, now.revision, description=description)

    def adopt(self, port: Port, *, device_id: str, description: str) -> Port:
        marks = {"device_owner": RESERVATION_OWNER, "device_id": device_id, "description": description}
        return self._put("adopt", port.id, port.revision, **marks)

    def release_adopted(self, port_id: str) -> None:
        if port_id in self.world.ports:
            self._put("release", port_id, None, device_owner="", device_id="", description="")

    def _put(self, effect: str, port_id: str, revision: int | None, **fields: str) -> Port:
        now = self.port(port_id)
        if revision not in (None, now.revision):
            raise CloudError(f"port {port_id} was changed by somebody else meanwhile")
        with self.world.effects.effect(effect):
            fresh = (now.revision or 0) + 1
            self.world.ports[port_id] = replace(now, revision=fresh, **fields)  # type: ignore[arg-type]
        return self.world.ports[port_id]

    def delete_port(self, port_id: str) -> None:
        with self.world.effects.effect("delete port"):
            self.world.ports.pop(port_id, None)
            self.port_is_gone(port_id)

    def make_group(self, name: str, description: str, rules: Sequence[SecurityRule]) -> SecurityGroup:
        group = SecurityGroup(self.world.new_id(), name, PROJECT, description, ())
        try:
            with self.world.effects.effect("make group"):
                self.world.groups[group.id] = group
            with self.world.effects.effect("make rules"):
                self.world.groups[group.id] = replace(group, rules=tuple(rules))
        except CloudError:
            self.world.groups.pop(group.id, None)
            raise
        return self.world.groups[group.id]

    def mark_group(self, group: SecurityGroup, description: str) -> SecurityGroup:
        with self.world.effects.effect("mark group"):
            self.world.groups[group.id] = replace(self.world.groups[group.id], description=description)
        return self.world.groups[group.id]

    def set_rules(self, group: SecurityGroup, rules: Sequence[SecurityRule]) -> SecurityGroup:
        _, missing, unwanted = rule_changes(group.rules, rules)  # of what the caller knows, as the adapter does
        if missing or unwanted:
            with self.world.effects.effect("set rules"):
                now = self.world.groups[group.id]
                kept = tuple(rule for rule in now.rules if rule not in (*unwanted, *missing))
                self.world.groups[group.id] = replace(now, rules=kept + missing)
        return self.world.groups[group.id]

    def delete_group(self, group_id: str) -> None:
        if any(group_id in port.group_ids for port in self.world.ports.values()):
            raise CloudError(f"security group {group_id} in use")
        with self.world.effects.effect("delete group"):
            self.world.groups.pop(group_id, None)

    def amend_port(self, port: Port, amendment: PortAmendment) -> Port:
        now = self.port(port.id)
        pairs = [pair for pair in now.pairs if pair not in amendment.remove_pairs]
        pairs += [pair for pair in amendment.add_pairs if pair not in pairs]
        groups = [group for group in now.group_ids if group not in amendment.remove_groups]
        groups += [group for group in amendment.add_groups if group not in groups]
        if unknown := [group for group in amendment.add_groups if group not in self.world.groups]:
            raise NotFoundError(f"security group {unknown[0]} does not exist")
        wanted = replace(now, pairs=tuple(pairs), group_ids=tuple(groups), revision=(now.revision or 0) + 1)
        if (wanted.pairs, wanted.group_ids) == (now.pairs, now.group_ids):
            return now
        with self.world.effects.effect(f"amend {port.id[:8]}"):
            self.world.ports[port.id] = wanted
        return wanted

    def set_port_up(self, port_id: str, up: bool) -> None:
        port = self.port(port_id)
        if port.admin_up != up:
            with self.world.effects.effect(f"port {'up' if up else 'down'} {self._owner(port)}"):
                self.world.ports[port_id] = replace(port, admin_up=up, revision=(port.revision or 0) + 1)
                self.world.elect()

    def _owner(self, port: Port) -> str:
        instance = self.world.instances.get(port.device_id)
        return instance.name if instance else port.id

    def instance_action(self, instance_id: str, action: InstanceAction) -> None:
        if instance_id not in self.world.instances:
            raise NotFoundError(f"no instance {instance_id}")
        instance = self.world.instances[instance_id]
        busy = self.world.shown(instance) != instance
        if busy and self.world.acted[instance_id][1] is not action:
            raise CloudError(f"cannot {action} {instance.name} while something else is done to it")
        if instance.status == action.outcome:
            return
        if instance.status != BEFORE[action]:
            raise CloudError(f"cannot {action} {instance.name} while it is {instance.status}")
        with self.world.effects.effect(f"{action.removeprefix('os-')} {instance.name}"):
            self.world.acted[instance_id] = self.world.clock.now, action, instance
            self.world.instances[instance_id] = replace(instance, status=action.outcome)
            self.world.elect()

    def add_tag(self, port_id: str, tag: str) -> None:
        port = self.port(port_id)
        with self.world.effects.effect("tag"):
            self.world.ports[port_id] = replace(port, tags=tuple(dict.fromkeys((*port.tags, tag))))

    def remove_tag(self, port_id: str, tag: str) -> None:
        port = self.world.ports.get(port_id)
        if port is not None and tag in port.tags:
            with self.world.effects.effect("untag"):
                self.world.ports[port_id] = replace(port, tags=tuple(one for one in port.tags if one != tag))


@dataclass
class FakeProbe:
    """Echoes every 10 ms of fake time, answered by whoever holds the VIP at that time."""

    world: World
    vip: Address
    interval_s: float
    lost: str | None = None
    service: Service = NO_SERVICE
    _echoes: list[Echo] = field(default_factory=list)
    _asks: list[Ask] = field(default_factory=list)
    _marks: list[Mark] = field(default_factory=list)
    _next_s: float = 0.0
    _tries: list[Try] = field(default_factory=list)
    _flow: list[FlowEvent] = field(default_factory=list)
    _flow_to: str | None = None  # the MAC of the node that the held connection ends at

    def __post_init__(self) -> None:
        self._next_s = self.world.clock.now

    def _catch_up(self) -> None:
        replies: dict[str | None, tuple[str | None, str | None]] = {}
        while self._next_s <= self.world.clock.now and not self.lost:
            at = self._next_s
            mac = next((who for when, who in reversed(self.world.holders) if when <= at), None)
            if mac not in replies:
                replies[mac] = self.world.echo_reply(self.vip, mac), self.world.arp_reply(self.vip, mac)
            echo, ask = replies[mac]
            self._echoes.append(Echo(at, at + 0.001 if echo else None, echo))
            if len(self._echoes) % 10 == 1:
                both = {ask, *(self.world.arp_reply(self.vip, one) for one in self.world.split_at(at))}
                self._asks.append(Ask(at, tuple(sorted(mac for mac in both if mac))))
            self._ask_service(at, echo)
            self._next_s = at + self.interval_s

    def _ask_service(self, at: float, answering: str | None) -> None:
        if "python" not in self.world.observer_can:
            return
        serving = answering not in (None, *self.world.no_service)
        if self.service.probe and len(self._echoes) % 5 == 1:
            failure = "" if serving else "refused" if answering else "no answer"
            self._tries.append(Try(at, None if failure else at + 0.002, failure))
        if self.service.flow and answering and answering != self._flow_to:
            if self._flow_to or not serving:
                why, heard_s = ("reset", at - 0.2) if self._flow_to else ("refused", None)
                self._flow.append(FlowEvent(at, "broken", why, heard_s))
            if serving:
                self._flow.append(FlowEvent(at, "open"))
            self._flow_to = answering

    def _cannot_ask(self) -> bool:
        return self.service != NO_SERVICE and "python" not in self.world.observer_can

    def when(self, local_s: float) -> Moment:
        return Moment(local_s, 0.001)

    def mark(self, label: str) -> None:
        self._catch_up()
        self._marks.append(Mark(label, self.world.clock.now, 0.001))

    def history(self) -> History:
        self._catch_up()
        return History(
            self.interval_s,
            tuple(self._echoes),
            tuple(self._asks),
            tuple(self._marks),
            self._next_s,
            self.lost,
            service=self.service,
            tries=tuple(self._tries),
            flow=tuple(self._flow),
            notes=("the service was not asked",) * self._cannot_ask(),
        )

    def wait(self, condition: Callable[[History], bool], timeout_s: float) -> bool:
        deadline_s = self.world.clock.now + timeout_s
        while self.world.clock.now < deadline_s and not self.lost:
            self.world.clock.sleep(0.25)
            if condition(self.history()):
                return True
        return False

    def stop(self) -> History:
        return self.history()


@dataclass
class FakeObserver:
    world: World
    probes: list[FakeProbe] = field(default_factory=list)
    lost: str | None = None

    def abilities(self) -> frozenset[str]:
        return self.world.observer_can

    def neighbour(self, vip: Address) -> str | None:
        return self.world.holder()

    def start_probe(self, vip: Address, *, interval_s: float, service: Service = NO_SERVICE) -> FakeProbe:
        probe = FakeProbe(self.world, vip, interval_s, self.lost, service)
        self.probes.append(probe)
        return probe


@dataclass
class FakeFleet:
    world: World
    watcher: FakeObserver

    def node(self, instance: Instance) -> FakeNode:
        if instance.status != "ACTIVE":
            raise RemoteError(f"{instance.name} is {instance.status}")
        if shown := self.world.rebuilt.get(instance.id):
            raise RebuiltError(f"the host key of {instance.name} is another", fingerprints=shown, hint="haos repair")
        return self.world.nodes[instance.id]

    def observer(self, instance: Instance) -> FakeObserver:
        return self.watcher

    def awaited(self, instance: Instance) -> HaosError | None:
        return self.world.awaited.get(instance.id)

    def renew(self, instance: Instance) -> None:
        return

    def trust_anew(self, instance: Instance, fingerprints: Sequence[str]) -> None:
        with self.world.effects.effect(f"trust {instance.name}"):
            assert self.world.rebuilt.get(instance.id) == tuple(fingerprints)
            del self.world.rebuilt[instance.id]

    def close(self) -> None:
        return


class Quiet:
    """Progress that remembers its steps."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.titles.append(title)
        yield

    def measuring(
        self, title: str, look: Callable[[], History], names: Mapping[str, str]
    ) -> AbstractContextManager[None]:
        return self.step(title)

    def note(self, text: str) -> None:
        self.titles.append(text)


@dataclass
class Watch:
    """What one guardian was told, and how its context ended: "" while it lasts, and for ever if haos was killed."""

    pair: Pair
    intent: Intent
    ended: str = ""


@dataclass
class FakeGuardian:
    """Stands for the process: it acts at once where the context does not end well, on `act` where haos was killed."""

    world: World
    refuses: str | None = None

    @contextmanager
    def watch_over(self, pair: Pair, intent: Intent) -> Iterator[None]:
        if self.refuses:
            raise CloudError(self.refuses)
        watch = Watch(pair, intent)
        self.world.watches.append(watch)
        try:
            yield
        except Killed:
            raise
        except BaseException:
            self._act(watch)
            raise
        watch.ended = "done"

    def act(self) -> None:
        """Do what the guardians of a haos that was killed do."""
        for watch in self.world.watches:
            if not watch.ended:
                self._act(watch)

    def _act(self, watch: Watch) -> None:
        cloud = FakeCloud(self.world)
        undone = undo_if_announced(watch.intent, watch.pair.reservation_id, cloud, self.world.clock)
        watch.ended = "undid it" if undone else "nothing to undo"


def howto_world(*, keepalived: str | None = None, existing: bool = True, fabric: str = "learning") -> World:
    """The howto's cloud: ha_first, ha_second, observer; with `existing`, things on the ports that haos must keep."""
    world = World(fabric=fabric)
    world.networks[NETWORK] = CloudNetwork(NETWORK, "ha_lab", PROJECT)
    world.subnets[SUBNET] = Subnet(
        SUBNET,
        "ha_lab",
        NETWORK,
        ip_network("10.200.51.0/24"),
        gateway=ip_address("10.200.51.1"),
        pools=(Pool(ip_address("10.200.51.32"), ip_address("10.200.51.254")),),
        dns=(ip_address("8.8.4.4"), ip_address("8.8.8.8")),
    )
    ssh_icmp = tuple(
        SecurityRule("ingress", 4, protocol, port_min=port, port_max=port)
        for protocol, port in (("icmp", None), ("tcp", 22))
    )
    world.groups[GROUP] = SecurityGroup(GROUP, "ssh-icmp", PROJECT, rules=(*ssh_icmp, SecurityRule("egress", 4)))
    add_instance(world, "ha_first", 32, "fa:16:3e:8d:dc:bb")
    add_instance(world, "ha_second", 33, "fa:16:3e:f3:a9:a3")
    add_instance(world, "observer", 34, "fa:16:3e:08:e6:15")
    for node in world.nodes.values():
        node.package = keepalived
    if existing:
        first = next(port for port in world.ports.values() if port.mac == "fa:16:3e:8d:dc:bb")
        other = AddressPair("192.0.2.0/24", "fa:16:3e:8d:dc:bb")
        world.ports[first.id] = replace(first, pairs=(other,))
    return world


def routed_world(*, keepalived: str | None = None, gateway: bool = True) -> World:
    """The howto's cloud with a router on ha_lab, whose gateway is on the external network `public`."""
    world = howto_world(keepalived=keepalived)
    add_router(world, subnet_id=SUBNET, network_id=NETWORK, **({} if gateway else {"gateway": None}))
    return world


def add_instance(world: World, name: str, last: int, mac: str) -> Instance:
    """Plug one more instance into ha_lab."""
    address = ip_address(f"10.200.51.{last}")
    instance = Instance(world.new_id(), name, "ACTIVE", PROJECT, host_id=f"host-{name}", fixed=(address,))
    port_id = world.new_id()
    world.instances[instance.id] = instance
    world.ports[port_id] = Port(
        port_id,
        NETWORK,
        PROJECT,
        mac,
        (FixedIp(address, SUBNET),),
        device_id=instance.id,
        device_owner="compute:nova",
        group_ids=(GROUP,),
        revision=1,
    )
    world.nodes[instance.id] = FakeNode(world, instance, mac, address)
    return instance


def context_of(world: World, *, lost: str | None = None) -> Context:
    """Make a context whose every part is this world."""
    fleet = FakeFleet(world, FakeObserver(world, lost=lost))
    return Context(FakeCloud(world), fleet, world.clock, Quiet(), FakeGuardian(world))
