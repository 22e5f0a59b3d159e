"""Labs come up, go down, die and leave nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openstack
import pytest
from openstack.config import OpenStackConfig

from haos.lab import cgroups, claims, control
from haos.lab.control import LabStatus
from haos.lab.errors import LabError
from haos.lab.paths import LabPaths
from tests.lab.main_job import eventually, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

CYCLES = int(os.environ.get("HAOS_LAB_CYCLES", "3"))
UP_S, DOWN_S = 15.0, 5.0  # 1.7 and 0.2 s where nothing else is at work; this is to see one that hangs
NAME = f"cycle-{os.getpid()}"


@dataclass(frozen=True)
class Traces:
    """All by which a running lab could be seen afterwards."""

    paths: LabPaths
    group: Path
    namespaces: frozenset[str]
    pids: frozenset[int]
    ports: frozenset[str]
    noted_ticks: float

    def left(self) -> list[str]:
        """Return what is still there."""
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if self._mine(line)]
        return [
            *(f"namespace {each}" for each in self.namespaces & namespaces_of(self._older())),
            *(f"process {pid}" for pid in self.pids & set(self._older())),
            *(f"listener {each}" for each in self.ports & listening()),
            *(f"mount {each}" for each in mounts),
            *(str(each) for each in (self.paths.run, self.group) if each.exists()),
            *(str(each) for each in self.group.parent.glob(f"haos-{self.paths.name}-*")),
        ]

    def _older(self) -> list[int]:
        """Return the processes as old as the lab: the kernel gives numbers of ended namespaces to younger ones."""
        return [pid for pid in all_pids() if (started := claims.start_ticks(pid)) and started <= self.noted_ticks]

    def _mine(self, line: str) -> bool:
        return str(self.paths.run) in line or any(each in line for each in self.namespaces)


def traces(name: str) -> Traces:
    """Note the traces of a running lab."""
    claim = claims.read(LabPaths(name))
    assert claim is not None
    pids = frozenset(cgroups.processes(Path(claim.group)))
    inside = namespaces_of(pids) - namespaces_of([os.getpid()])
    assert len(inside) > 3 * 5, "each instance has namespaces of its own"
    found = sockets_of(pids) & listening()
    assert len(found) >= 4, "the API and three floating addresses"
    return Traces(LabPaths(name), Path(claim.group), inside, pids, frozenset(found), now_ticks())


def now_ticks() -> float:
    """Return the time on the clock of `claims.start_ticks`."""
    return float(Path("/proc/uptime").read_text().split()[0]) * os.sysconf("SC_CLK_TCK")


def all_pids() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def links(pid: int, directory: str) -> Iterator[str]:
    try:
        for each in Path(f"/proc/{pid}/{directory}").iterdir():
            yield os.readlink(each)
    except OSError:
        return  # it has ended meanwhile


def namespaces_of(pids: list[int] | frozenset[int]) -> frozenset[str]:
    return frozenset(link for pid in pids for link in links(pid, "ns"))


def sockets_of(pids: frozenset[int]) -> frozenset[str]:
    return frozenset(link for pid in pids for link in links(pid, "fd") if link.startswith("socket:"))


def listening() -> frozenset[str]:
    """Return the listening TCP sockets of the machine's own network namespace."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return frozenset(f"socket:[{row[9]}]" for row in rows if row[3] == "0A")


def own_links() -> list[str]:
    return sorted(each.name for each in Path("/sys/class/net").iterdir())


@pytest.fixture(autouse=True)
def _clean(lab_machine: None) -> Iterator[None]:
    yield
    control.down(NAME)


def timed_up() -> tuple[LabStatus, float]:
    started = time.monotonic()
    return control.up(NAME), time.monotonic() - started


def timed_down() -> float:
    started = time.monotonic()
    control.down(NAME)
    return time.monotonic() - started


def test_cycles_leave_nothing(lab: LabStatus) -> None:
    before = own_links()
    for _ in range(CYCLES):
        status, up_s = timed_up()
        assert [each.power for each in status.instances] == ["ACTIVE"] * 3
        assert own_links() == before, "nothing is added to the machine's own network"
        noted = traces(NAME)
        assert "Traceback" not in noted.paths.daemon_log.read_text()
        down_s = timed_down()
        assert noted.left() == []
        assert up_s <= UP_S
        assert down_s <= DOWN_S
    assert own_links() == before


@pytest.mark.parametrize("victim", ["daemon", "hypervisor"])
def test_killed_lab_takes_everything_along_and_is_cleaned_up(victim: str) -> None:
    status = control.up(NAME)
    noted = traces(NAME)
    os.kill(status.pid if victim == "daemon" else hypervisor_of(noted), signal.SIGKILL)
    assert eventually(lambda: not list(cgroups.processes(noted.group)))
    with pytest.raises(LabError, match="does not run"):
        control.status(NAME)
    assert control.clouds_yaml(NAME) is None
    assert [each.power for each in control.up(NAME).instances] == ["ACTIVE"] * 3
    assert not noted.group.exists()


def hypervisor_of(noted: Traces) -> int:
    [found] = [
        pid for pid in noted.pids
        if "haos.lab.hypervisor" in command_line(pid) and not command_line(pid).startswith("unshare")
    ]  # fmt: skip
    return found


def test_up_again_leaves_a_running_lab_alone(lab: LabStatus, lab_name: str) -> None:
    lines: list[str] = []
    again = control.up(lab_name, progress=lines.append)
    assert lines == [f"the lab {lab_name} is running already"]
    assert again.pid == control.status(lab_name).pid == lab.pid


def test_labs_run_side_by_side(lab: LabStatus, lab_name: str) -> None:
    other = control.up(NAME)
    assert other.url != lab.url
    assert not set(floating(other)) & set(floating(lab))
    assert on(NAME, "observer", "hostname") == on(lab_name, "observer", "hostname") == "observer\n"
    control.down(NAME)
    assert on(lab_name, "observer", "hostname") == "observer\n"


def floating(lab: LabStatus) -> list[str]:
    return [str(address) for each in lab.instances for address in each.floating]


def test_secrets_are_the_owners_alone(lab_name: str) -> None:
    paths = LabPaths(lab_name)
    for path in (paths.clouds_yaml, paths.key):
        assert path.stat().st_mode & 0o077 == 0, path


def test_instances_share_one_image_and_little_memory(lab_name: str) -> None:
    for each in control.status(lab_name).instances:
        assert 0 < each.memory_kib < 64 * 1024


def test_every_cloud_of_the_lab_is_found_by_its_name(lab_name: str) -> None:
    for suffix in ("", "-admin", "-other", "-credential"):
        assert control.clouds_yaml(lab_name + suffix) == LabPaths(lab_name).clouds_yaml
        config = OpenStackConfig(config_files=[str(LabPaths(lab_name).clouds_yaml)], load_envvars=False)
        connection = openstack.connection.Connection(config=config.get_one(cloud=lab_name + suffix))
        assert connection.current_project_id
    for name in ("nothing", "Not A Lab", f"{lab_name}-x"):
        assert control.clouds_yaml(name) is None


def test_unknown_node_is_said(lab_name: str) -> None:
    with pytest.raises(LabError, match="no instance is called nobody: there are ha_first"):
        control.ssh_argv(lab_name, "nobody", ["true"])
