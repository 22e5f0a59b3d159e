"""The guardian as a real process, against the lab's API with an idle world behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from haos.core import record
from haos.core.intent import CloudFault
from haos.core.model import Member, Pair, virtual_mac
from haos.lab.api import PASSWORD, Server
from tests.lab.api.conftest import FIRST, FIRST_PORT, HA_LAB, SECOND_PORT, SUBNET, Client

pytestmark = pytest.mark.real
CLOUDS = """\
clouds:
  lab:
    auth: {{auth_url: {url}/identity/v3, username: demo, password: {password}, project_name: demo,
      user_domain_id: default, project_domain_id: default}}
"""
Start = Callable[..., subprocess.Popen[str]]


def eventually(look: Callable[[], Any], timeout_s: float = 30.0) -> bool:
    """Look again and again until it is so; False at the deadline."""
    retrying = Retrying(
        retry=retry_if_result(lambda seen: not seen),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(0.05),
        retry_error_callback=lambda _: False,
    )
    return bool(retrying(look))


@pytest.fixture
def reservation(demo: Client) -> str:
    """Reserve a VIP for a pair of the howto's instances; return the port's id."""
    pair = Pair("web", HA_LAB, "", ip_address("10.200.51.2"), 1, (Member(FIRST_PORT, 240), Member(SECOND_PORT, 230)))
    body = {
        "network_id": HA_LAB,
        "fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.200.51.2"}],
        "mac_address": virtual_mac(1, 4),
        "device_owner": "haos:vip",
        "device_id": "haos-web",
        "description": record.encode(pair),
        "security_groups": [],
    }
    return str(demo.neutron("POST", "/ports", {"port": body}).body["port"]["id"])


@pytest.fixture
def environ(server: Server, tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose clouds.yaml lies in the working folder."""
    (tmp_path / "clouds.yaml").write_text(CLOUDS.format(url=server.url, password=PASSWORD))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    root = str(Path(__file__).parents[3])
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": root}
    return {**kept, **home, "OS_CLOUD": "lab", "HAOS_SUDO_PASSWORD": "hush"}


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path, reservation: str) -> Iterator[Start]:
    """Start a haos that makes a fault, and wait until it is made."""
    started: list[subprocess.Popen[str]] = []
    guardians: list[int] = []

    def make(fault: CloudFault, lasts_s: float = 100.0) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "tests.guarded", fault, str(lasts_s)]
        process = subprocess.Popen(
            argv, env=environ, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        guardians.append(guardian_of(process))
        return process

    yield make
    for process in started:
        process.kill()
        process.communicate()
    for guardian in guardians:  # where the test is over before its guardian: the cloud will not come back
        with suppress(OSError):
            if b"haos.cli.guard" in Path(f"/proc/{guardian}/cmdline").read_bytes():
                os.kill(guardian, signal.SIGKILL)


def guardian_of(process: subprocess.Popen[str]) -> int:
    """Return the process id of its guardian."""
    [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


def logs(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / "haos").glob("guardian-*"))


def port_of(demo: Client, port_id: str) -> dict[str, Any]:
    return dict(demo.neutron("GET", f"/ports/{port_id}").body["port"])


def is_undone(demo: Client, reservation: str) -> bool:
    status = demo.nova("GET", f"/servers/{FIRST}").body["server"]["status"]
    up = port_of(demo, FIRST_PORT)["admin_state_up"]
    return status == "ACTIVE" and up is True and port_of(demo, reservation)["tags"] == []


def test_it_ends_with_haos_and_leaves_nothing(start: Start, demo: Client, reservation: str, tmp_path: Path) -> None:
    process = start(CloudFault.PORT_DOWN)
    assert not is_undone(demo, reservation)
    guardian = guardian_of(process)
    out, _ = process.communicate("\n", timeout=30)
    assert out == "ended\n"
    assert is_undone(demo, reservation)
    assert not Path(f"/proc/{guardian}").exists()
    assert logs(tmp_path) == []


def test_it_holds_nothing_of_haos_and_knows_no_secret_by_its_arguments(start: Start, tmp_path: Path) -> None:
    process = start(CloudFault.PORT_DOWN)
    there = Path(f"/proc/{guardian_of(process)}")
    assert eventually(lambda: (there / "fd/1").readlink() == Path(os.devnull))
    held = {int(one.name): str(one.readlink()) for one in (there / "fd").iterdir()}
    [log] = logs(tmp_path)
    assert {0, 1, 2} <= set(held)
    assert held[0].startswith("pipe:")
    assert held[2] == str(log)
    assert log.stat().st_mode & 0o777 == 0o600
    assert not [name for number, name in held.items() if number > 2 and not name.startswith("socket:")]
    assert (there / "cmdline").read_bytes().split(b"\0")[1:-1] == [b"-P", b"-m", b"haos.cli.guard", str(log).encode()]
    assert b"hush" not in (there / "environ").read_bytes()
    assert os.getsid(int(there.name)) == int(there.name)


def test_it_undoes_what_a_killed_haos_left(start: Start, demo: Client, reservation: str, tmp_path: Path) -> None:
    process = start(CloudFault.PORT_DOWN)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert eventually(lambda: is_undone(demo, reservation))
    assert eventually(lambda: not logs(tmp_path))


def test_nobody_who_reads_what_haos_prints_waits_for_it(start: Start, demo: Client) -> None:
    """A pipe into tee ends with haos, though the guardian has still to wait for Nova."""
    process = start(CloudFault.PORT_DOWN)
    demo("POST", "/lab/faults", {"path": "/network/v2.0/ports", "status": 503, "times": 20})
    guardian = guardian_of(process)
    process.kill()
    assert process.communicate(timeout=5)[0] == ""
    assert Path(f"/proc/{guardian}").exists()


def test_it_acts_when_the_announced_time_has_passed(start: Start, demo: Client, reservation: str) -> None:
    began_s = time.time()
    process = start(CloudFault.PAUSE, lasts_s=4.0)
    assert eventually(lambda: is_undone(demo, reservation))
    assert time.time() - began_s >= 4.0
    assert process.poll() is None


def test_it_waits_through_hangup_and_interrupt_and_acts_when_it_is_to_end(
    start: Start, demo: Client, reservation: str
) -> None:
    process = start(CloudFault.POWER_OFF)
    guardian = guardian_of(process)
    for number in (signal.SIGHUP, signal.SIGINT):
        os.kill(guardian, number)
    assert not is_undone(demo, reservation)
    os.kill(guardian, signal.SIGTERM)
    assert eventually(lambda: is_undone(demo, reservation))
    assert process.poll() is None


def test_it_goes_on_while_the_api_is_away(start: Start, demo: Client, reservation: str, tmp_path: Path) -> None:
    process = start(CloudFault.PORT_DOWN)
    [log] = logs(tmp_path)
    demo("POST", "/lab/faults", {"path": "/network/v2.0/ports", "status": 503, "times": None})
    process.kill()
    # More often than one call repeats itself.
    assert eventually(lambda: log.read_text().count(f"GET {demo.url}/network/v2.0/ports/{reservation}") > 5)
    demo("DELETE", "/lab/faults")
    assert eventually(lambda: is_undone(demo, reservation))


def test_without_a_login_there_is_no_guardian_and_no_fault(
    environ: dict[str, str], demo: Client, reservation: str, tmp_path: Path
) -> None:
    """haos itself has logged in; then the password is changed."""
    (tmp_path / "changed.yaml").write_text(
        (tmp_path / "clouds.yaml").read_text().replace(f": {PASSWORD},", ": changed,")
    )
    script = (
        "import os, tests.guarded as g; real = g.ProcessGuardian\n"
        "def refused(*args):\n    os.replace('changed.yaml', 'clouds.yaml'); return real(*args)\n"
        "g.ProcessGuardian = refused; g.main(g.CloudFault('pause'), 100.0)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "CloudError: no guardian for fault pause: cannot authenticate at" in process.stderr
    assert is_undone(demo, reservation)
    assert logs(tmp_path) == []
