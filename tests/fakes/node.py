"""A node of the in-memory world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from haos.core.model import RESERVATION_OWNER, Address, Instance, Role, virtual_mac
from haos.core.node import NodeConfig, NodeFacts, Removal, Removed, Sight, Survey
from haos.errors import StepError
from tests.fakes.faults import FaultyNode

if TYPE_CHECKING:
    from tests.fakes.world import World


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
