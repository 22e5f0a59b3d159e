"""Nodes and observers with real trouble: one line, the remedy, the exit code, and nothing changed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from haos.lab import control
from tests.lab.main_job import CREATE, NODES, cloud, eventually, node_state
from tests.lab.refusals import changed, nothing_changed, only_reads, refused, run_quietly

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

NODE = "ha_second"
STAND_IN = "#!/bin/sh\\necho 'Keepalived v1.3.9 (10/21,2017)' >&2\\n"
DROP = "nft add table inet mine; nft add chain inet mine in '{ type filter hook input priority 0; }'; "
TROUBLE: dict[str, tuple[str, str, int, str, str]] = {
    "disk full": (
        "mount -t tmpfs -o size=6m etc /mnt; cp -a /etc/. /mnt; mount --move /mnt /etc", "umount -l /etc",
        5, r"ha_second has \d MB left", "make room",
    ),
    "no systemd": (
        "mount -t tmpfs -o ro none /run/systemd", "umount -l /run/systemd",
        5, r"ha_second \(Debian.*\) does not run systemd", "systemd hosts only",
    ),
    "keepalived too old": (
        f"printf \"{STAND_IN}\" >/usr/local/sbin/keepalived; chmod 755 /usr/local/sbin/keepalived",
        "rm /usr/local/sbin/keepalived",
        5, r"keepalived 1\.3\.9 on ha_second is older than 2\.0\.10", "upgrade",
    ),
    "guest firewall that drops 112": (
        DROP + "nft add rule inet mine in ip protocol 112 drop", "nft delete table inet mine",
        5, "on ha_second, .*mine.*not hear each other", "nft",
    ),
    "guest firewall that admits little": (
        DROP + "nft add rule inet mine in ip protocol '{ tcp, icmp }' accept;"
        " nft add rule inet mine in ip protocol != 1 drop", "nft delete table inet mine",
        5, "on ha_second, .*mine.*not hear each other", "nft",
    ),
}  # fmt: skip
"""what is wrong -> how to bring it about, how to mend it, exit code, reason, remedy"""


@pytest.fixture(scope="module", autouse=True)
def nodes_as_they_were(own_lab: str) -> Iterator[None]:
    """Fail if anything of haos's is on a node in the end."""
    before = {node: node_state(own_lab, node) for node in NODES}
    yield
    assert {node: node_state(own_lab, node) for node in NODES} == before


@pytest.mark.parametrize("case", TROUBLE)
def test_is_refused(own_lab: str, case: str) -> None:
    change, back, code, reason, hint = TROUBLE[case]
    with changed(own_lab, NODE, change, back), only_reads(own_lab):
        said = refused(own_lab, code, *CREATE)
    assert re.search(reason, said.reason), said
    assert re.search(hint, said.hint), said


def test_guest_firewall_that_drops_other_packets_is_no_obstacle(own_lab: str) -> None:
    rules = DROP + "nft add rule inet mine in ip protocol 50 drop; nft add rule inet mine in udp dport 53 drop"
    with changed(own_lab, NODE, rules, "nft delete table inet mine"), only_reads(own_lab):
        assert run_quietly(own_lab, *CREATE, "--dry-run").returncode == 0


def test_user_who_may_not_become_root(own_lab: str) -> None:
    plain = "useradd -m plain; cp -rT ~debian/.ssh ~plain/.ssh; chown -R plain: ~plain"
    first, second = (changed(own_lab, node, plain, "userdel -rf plain") for node in NODES)
    with first, second, only_reads(own_lab):
        said = refused(own_lab, 1, *CREATE, "--ssh-user", "plain", "--no-observer")
    assert re.search("sudo on ha_.* wants the password of plain", said.reason), said
    assert "--ask-sudo-password" in said.hint


def test_user_who_is_not_let_in(own_lab: str) -> None:
    with only_reads(own_lab):
        said = refused(own_lab, 1, *CREATE, "--ssh-user", "nobody-we-know")
    assert re.search("refused to let nobody-we-know log in", said.reason), said
    assert "--ssh-user" in said.hint


def test_host_key_that_is_not_the_one_known(own_lab: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    known = tmp_path / "haos" / "known_hosts"
    known.parent.mkdir()
    [server] = [one for one in cloud(own_lab).compute.servers() if one.name == NODE]
    known.write_text(f"haos-{server.id} {' '.join(key.with_suffix('.pub').read_text().split()[:2])}\n")
    before = known.read_text()
    with only_reads(own_lab):
        said = refused(own_lab, 1, *CREATE, environ={"XDG_CACHE_HOME": str(tmp_path)})
    assert re.search(f"host key of {NODE}.* is not the one that haos keeps in {known}", said.reason), said
    assert f"ssh-keygen -R haos-{server.id}" in said.hint
    assert before in known.read_text()


def test_apt_that_is_broken_undoes_all(own_lab: str) -> None:
    conf = "/etc/apt/apt.conf.d/99-broken"
    with nothing_changed(own_lab), changed(own_lab, NODE, f"echo 'not a {{ setting' >{conf}", f"rm {conf}"):
        said = refused(own_lab, 1, *CREATE, planned=True)
    assert re.search(
        "installing keepalived on ha_second failed: apt did not install keepalived: E: .*99-broken", said.reason
    )
    assert "apt-get install keepalived" in said.hint


def test_instance_that_is_off(own_lab: str) -> None:
    compute = cloud(own_lab).compute
    [server] = [one for one in compute.servers() if one.name == NODE]

    def is_in(status: str) -> bool:
        return bool(compute.get_server(server.id).status == status)

    compute.stop_server(server.id)
    assert eventually(lambda: is_in("SHUTOFF"))
    try:
        with only_reads(own_lab):
            said = refused(own_lab, 5, *CREATE)
    finally:
        compute.start_server(server.id)
        assert eventually(lambda: is_in("ACTIVE"))
        assert eventually(
            lambda: subprocess.run(control.ssh_argv(own_lab, NODE, ["true"]), check=False).returncode == 0
        )
    assert said.reason == f"instance {NODE} is SHUTOFF"
    assert said.hint == f"openstack server start {server.id}"
