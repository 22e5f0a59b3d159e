"""A pair whose network, nodes and observer have names that a shell would obey; odd observers and ports as well."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from haos.lab import control
from tests.lab.main_job import NODE_STATE, cloud, haos, neutron_state, on
from tests.lab.refusals import changed, refused, run_quietly

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

TOUCHED = Path(f"/tmp/haos-touched-{os.getpid()}")  # noqa: S108 - what must never come to be
NASTY = f"a b;$(touch {TOUCHED})'\""
NETWORK = f"net `touch {TOUCHED}` {NASTY}"
NODES = (NASTY, f"Grüße ☃ {NASTY}")
OBSERVER = f"-o ProxyCommand=touch$IFS{TOUCHED} {NASTY}"
CREATE = ("create", "--network", NETWORK, "--nodes", ",".join(NODES), "--preempt-delay", "1")
HOLD_APT = (
    "import fcntl, os, time; lock = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(lock, fcntl.LOCK_EX)\n"
    "while os.system('pgrep -x apt-get >/dev/null'): time.sleep(0.1)\n"
    "time.sleep(1)"
)


@dataclass(frozen=True)
class Odd:
    """Where it all takes place, and how it was before."""

    lab: str
    neutron: object
    nodes: dict[str, str]


def nodes_now(lab: str) -> dict[str, str]:
    return {name: on(lab, name, NODE_STATE) for name in (*NODES, OBSERVER)}


@pytest.fixture(scope="module")
def odd(own_lab: str) -> Iterator[Odd]:
    """A network and three instances of such names; in the end nothing of that name was touched anywhere."""
    pool = ["10.70.0.32", "10.70.0.200"]
    body = {"name": NETWORK, "cidr": "10.70.0.0/24", "pool": pool, "router": True}
    control.lab_request(own_lab, "POST", "/lab/networks", body)
    for name in (*NODES, OBSERVER):
        control.add_instance(own_lab, name, networks=[NETWORK])
    yield Odd(own_lab, neutron_state(own_lab), nodes_now(own_lab))
    haos(own_lab, "teardown", "--purge", code=None)  # the last test has torn it down, if it was reached
    assert not TOUCHED.exists()
    assert {name: on(own_lab, name, f"ls {TOUCHED}*", ok=False) for name in (*NODES, OBSERVER)} == dict.fromkeys(
        (*NODES, OBSERVER), ""
    )


def pair_name(odd: Odd) -> str:
    return haos(odd.lab, "list", "-f", "value", "-c", "Name").stdout.strip()


@pytest.mark.parametrize("name", [NASTY, "Grüße"], ids=["hostile", "unicode"])
def test_pair_names_that_cannot_be_are_refused(odd: Odd, name: str) -> None:
    said = refused(odd.lab, 2, *CREATE, f"--name={name}")
    assert said.reason == f"{name!r} cannot be a pair's name"
    assert "at most 41 characters" in said.hint


def test_without_an_observer_the_outage_is_unknown_and_a_busy_apt_is_waited_for(odd: Odd) -> None:
    hold = ["sudo", "systemd-run", "-q", "python3", "-c", HOLD_APT]
    subprocess.run(control.ssh_argv(odd.lab, NODES[0], hold), check=True)
    ended = haos(odd.lab, *CREATE, code=4)
    assert "UNKNOWN: take-over seen by the nodes themselves" in ended.stdout
    assert "no instance on the network is named or tagged 'observer'" in ended.stderr
    assert pair_name(odd).startswith("Grue-a-b-touch-tmp-haos-touched-")
    assert f"haos status {pair_name(odd)}" in ended.stderr


def test_without_an_observer_as_wanted(odd: Odd) -> None:
    assert haos(odd.lab, *CREATE, "--no-observer").returncode == 0


def test_observer_without_python(odd: Odd) -> None:
    away = "for file in /usr/bin/python3*; do mv $file /root; done"
    with changed(odd.lab, OBSERVER, away, "mv /root/python3* /usr/bin"):
        ended = haos(odd.lab, *CREATE, f"--observer={OBSERVER}")
    assert f"answers from {NODES[0]}" in ended.stdout


def test_observer_without_root(odd: Odd) -> None:
    with changed(odd.lab, OBSERVER, "mv /usr/bin/sudo /root", "mv /root/sudo /usr/bin"):
        ended = haos(odd.lab, "failover-test", "--fault", "withdraw", f"--observer={OBSERVER}")
    assert "PASS" in ended.stdout


def test_observer_that_may_not_ping_at_all(odd: Odd) -> None:
    change = "mv /usr/bin/sudo /usr/bin/ping /root; sysctl -qw net.ipv4.ping_group_range='1 0'"
    back = "mv /root/sudo /root/ping /usr/bin; sysctl -qw net.ipv4.ping_group_range='0 65534'"
    with changed(odd.lab, OBSERVER, change, back):
        said = refused(odd.lab, 1, "failover-test", "--fault", "withdraw", f"--observer={OBSERVER}")
    assert "the observer cannot probe" in said.reason
    assert "another --observer" in said.hint


def test_what_is_shown_of_it(odd: Odd) -> None:
    for argv in (("status",), ("list",), ("check",)):
        shown = haos(odd.lab, *argv, "-f", "json").stdout
        assert "touch" in shown, argv


def test_the_script_to_do_it_by_hand_runs_nothing_else(odd: Odd, tmp_path: Path) -> None:
    for name in ("openstack", "ssh"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {name} >>{tmp_path}/ran\necho id\n")
        program.chmod(0o755)
    bash = shutil.which("bash")
    assert bash
    for argv in ((*CREATE, "--name", "other", "--explain"), ("teardown", "--explain")):
        script = run_quietly(odd.lab, *argv).stdout
        subprocess.run([bash, "-n"], input=script, text=True, check=True)
        environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run([bash], input=script, text=True, check=True, env=environ, cwd=tmp_path, capture_output=True)
        assert {"openstack", "ssh"} == set((tmp_path / "ran").read_text().split())
        assert sorted(path.name for path in tmp_path.iterdir()) == ["openstack", "ran", "ssh"]
        assert not TOUCHED.exists()


def test_teardown_leaves_nothing(odd: Odd) -> None:
    haos(odd.lab, "teardown")
    assert neutron_state(odd.lab) == odd.neutron
    assert all("haos" not in state.replace(str(TOUCHED), "") for state in nodes_now(odd.lab).values())


def test_without_port_security_no_address_pair_is_needed(odd: Odd) -> None:
    network = cloud(odd.lab).network
    servers = {one.name: one.id for one in cloud(odd.lab).compute.servers()}
    ports = [next(network.ports(device_id=servers[name])) for name in NODES]
    for port in ports:
        network.update_port(port.id, security_groups=[], port_security_enabled=False)
    try:
        ended = haos(odd.lab, *CREATE, f"--observer={OBSERVER}")
        assert f"port security is off on {NODES[0]}'s port: it needs no address pair, and gets none" in ended.stderr
        assert [network.get_port(port.id).allowed_address_pairs for port in ports] == [[], []]
        haos(odd.lab, "teardown", "--purge")
    finally:
        for port in ports:
            network.update_port(port.id, port_security_enabled=True, security_groups=port.security_group_ids)
    assert neutron_state(odd.lab) == odd.neutron
