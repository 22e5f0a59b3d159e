"""The whole bed, up and down."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.openstack.bed import broker, database, l3, namespaces, ovn, ovs, packages, process, pyenv, seed, services
from tests.openstack.bed.broker import Broker
from tests.openstack.bed.config import Places
from tests.openstack.bed.database import Database
from tests.openstack.bed.model import CONTROL, HYPERVISORS, RUN, Backend, Bed, BedError, cache_dir
from tests.openstack.bed.process import Processes
from tests.openstack.bed.schema import Schemas
from tests.openstack.bed.switch import Switch

Say = Callable[[str], None]
REGISTERED_S = 90.0
GRACE_S = 6.0
"""Nothing but the databases has anything to lose."""
DATABASE_GRACE_S = 30.0
LEFT_OVER_S = 2.0
APT_LOG, PIP_LOG = cache_dir() / "apt.log", cache_dir() / "pip.log"


def up(bed: Bed, backend: Backend, say: Say, *, fresh: bool = False, may_install: bool = True) -> None:
    """Bring the bed up, from where it is to where it should be."""
    with alone():
        check_outside()
        env = install(say, may_install=may_install)
        if fresh or not is_usable(bed, backend):
            take_down(bed, say)
            shutil.rmtree(bed.state, ignore_errors=True)
        elif not namespaces.are_whole():
            take_down(bed, say)
        namespaces.add()
        with namespaces.inside(CONTROL):
            Bringup.of(bed, backend, env, say).run()


def install(say: Say, *, may_install: bool) -> Path:
    """Install what is missing, from Debian and from PyPI side by side; returns OpenStack's environment."""
    wanted = packages.missing()
    packages.check_allowed(wanted, may_install=may_install)
    if not (pyenv.directory() / "complete").exists():
        say("installing OpenStack from PyPI (once, for these pins)")
    with ThreadPoolExecutor() as pool:
        early = pool.submit(pyenv.ensure, PIP_LOG) if packages.can_make_environments() else None
        if wanted:
            say(f"installing {' '.join(wanted)}")
            packages.install(wanted, APT_LOG)
        return early.result() if early else pyenv.ensure(PIP_LOG)


def is_usable(bed: Bed, backend: Backend) -> bool:
    """Tell whether the state is whole, and of that backend and these versions."""
    versions = pyenv.directory().name
    return bed.complete_file.exists() and bed.complete_file.read_text() == versions and bed.backend == backend


@dataclass(frozen=True)
class Bringup:
    """One bring-up, in the control namespace."""

    bed: Bed
    backend: Backend
    at: Places
    processes: Processes
    say: Say

    @classmethod
    def of(cls, bed: Bed, backend: Backend, env: Path, say: Say) -> Bringup:
        """Return the bring-up of a bed with OpenStack's environment."""
        return cls(bed, backend, Places(bed.etc, bed.var, env), processes_of(bed, env), say)

    @property
    def database(self) -> Database:
        """MariaDB."""
        return Database(self.bed.var / "mysql", self.processes)

    @property
    def broker(self) -> Broker:
        """RabbitMQ."""
        return Broker(self.bed.var / "rabbitmq", self.bed.etc, self.processes)

    def run(self) -> None:
        """Start everything, as much of it side by side as depends on nothing."""
        for directory in (self.bed.etc, self.bed.var, self.bed.log, RUN):
            directory.mkdir(parents=True, exist_ok=True)
        self.bed.backend_file.write_text(f"{self.backend}\n")
        services.write(self.bed, self.at, self.backend)
        if not self.bed.complete_file.exists():
            Schemas(self.at, self.database, self.processes, self.bed.clouds).lay_out(self.say)
        self.broker.start()
        self.database.start()
        self._start_hypervisors()
        self.database.wait()
        self._start_services()
        self._finish()

    def _start_hypervisors(self) -> None:
        if self.backend == "ovn":
            ovn.Central(self.bed.var / "ovn", self.processes).start()
        start = ovn.start_controller if self.backend == "ovn" else ovs.start_switch
        with ThreadPoolExecutor() as pool:
            for started in [pool.submit(start, each, self.processes) for each in HYPERVISORS]:
                started.result()

    def _start_services(self) -> None:
        # In the order in which others wait for them: two processors have enough to do with so many programs at once.
        at, start, wait = self.at, self.processes.start, partial(services.wait, self.processes)
        for daemon in (services.keystone(at), services.placement(at)):
            start(daemon)
        self.broker.wait()
        self.say(f"{database.NAME}, {broker.NAME} and the switches are up")
        for daemon in (services.neutron(at), services.nova(at, "nova-conductor")):
            start(daemon)
        wait("keystone", "placement")
        for daemon in (services.nova(at, "nova-scheduler"), *services.nova_computes(at)):
            start(daemon)
        for daemon in (services.nova_api(at), services.glance(at)):
            start(daemon)
        if self.backend == "ovs":
            wait("neutron")
            for each in HYPERVISORS:
                start(ovs.agent(at, Switch(each, self.processes)))
            start(l3.agent(at, self.processes))
        wait("neutron", "nova-api", "glance")
        self.say("keystone, placement, neutron, nova and glance answer")

    def _finish(self) -> None:
        if not self.bed.complete_file.exists():
            seed.run(self.processes, self.bed.clouds, "resources")
        if self.backend == "ovn":
            ovn.Central(self.bed.var / "ovn", self.processes).wait()
        else:
            ovs.wait(self.processes, self.database)
            l3.wait(self.processes, self.database)
        self.processes.wait(
            "nova knows its hypervisors", self._computes_are_mapped, REGISTERED_S, daemon="nova-compute1"
        )
        self.bed.complete_file.write_text(pyenv.directory().name)

    def _computes_are_mapped(self) -> bool:
        up = self.database.count_since_start("nova.services", "last_seen_up", "`binary` = 'nova-compute'")
        mapped = int(self.database.query("SELECT COUNT(*) FROM nova_api.host_mappings"))
        # One that could not reach Placement when it started is no place for a server before it has tried again.
        placed = "SELECT COUNT(DISTINCT resource_provider_id) FROM placement.inventories"
        return min(up, mapped, int(self.database.query(placed))) >= len(HYPERVISORS)


def down(bed: Bed, say: Say, *, wipe: bool = False) -> None:
    """Take the bed down, and with `wipe` its state; raises BedError if something is left."""
    with alone():
        check_outside()
        take_down(bed, say)
        if wipe:
            shutil.rmtree(bed.state, ignore_errors=True)
            say("state removed")
        if left := leftovers():
            raise BedError(f"left: {', '.join(left)}")
        say("nothing is left: no process, no namespace, no mount, no socket")


def take_down(bed: Bed, say: Say) -> None:
    """End every process, those that nobody recorded too, and delete the namespaces."""
    processes = processes_of(bed, pyenv.directory())
    names = processes.names()
    if names:
        say(f"stopping {len(names)} processes")
    # The database goes last: what the others still write is kept.
    late = [name for name in names if name == database.NAME]
    processes.stop([name for name in names if name not in late], grace_s=GRACE_S)
    processes.stop(late, grace_s=DATABASE_GRACE_S)
    if stray := process.left_over(namespaces.files()):
        process.end(stray, grace_s=LEFT_OVER_S)
    namespaces.delete()
    shutil.rmtree(RUN, ignore_errors=True)
    packages.forget_policy()


def leftovers() -> list[str]:
    """Return what of the bed is still there."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if f"/{CONTROL}" in line]
    return [
        *(f"process {each.pid}" for each in process.left_over(namespaces.files())),
        *(f"namespace {name}" for name in namespaces.present()),
        *(f"mount {mount}" for mount in mounts),
        *([str(RUN)] if RUN.exists() else []),
    ]


def processes_of(bed: Bed, env: Path) -> Processes:
    """Return the bed's processes, which find OpenStack's programs first."""
    return Processes(bed.log, bed.var, f"{env}/bin:{packages.SEARCH}")


def check_outside() -> None:
    """Refuse without root, and from within the bed, whose namespaces come and go here."""
    if os.geteuid() != 0:
        raise BedError("network namespaces need root", hint="sudo python -m tests.openstack …")
    own = Path("/proc/self/ns/net").stat().st_ino
    if own in {path.stat().st_ino for path in namespaces.files()}:
        raise BedError("this is a namespace of the bed itself", hint="leave it first")


@contextmanager
def alone() -> Iterator[None]:
    """Keep others from bringing up or taking down meanwhile, whichever cache directory is theirs."""
    # An abstract socket: it leaves no file, and goes with whoever holds it.
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind(f"\0{CONTROL}")
        except OSError:
            raise BedError("another run is bringing a bed up or down", hint="wait for it") from None
        yield
