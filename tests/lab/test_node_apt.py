"""The real apt on a real instance: locked, without a network, on a disk without room; nothing is left over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from haos.adapters import node_steps
from haos.adapters.node import Node
from haos.errors import StepError
from tests.lab.lab_node import Login, config_of, mac_of, removal
from tests.lab.main_job import eventually, node_state

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

HOLD = (
    "import fcntl, signal; file = open('{}', 'w'); fcntl.lockf(file, fcntl.LOCK_EX); print('held', flush=True);"
    " signal.pause()"
)


@pytest.fixture
def login(lab_name: str) -> Iterator[Login]:
    """An instance without keepalived; as it was, afterwards."""
    before = node_state(lab_name, "ha_second")
    yield Login(lab_name, "ha_second")
    assert node_state(lab_name, "ha_second") == before


@pytest.mark.parametrize("lock", ["/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock"])
def test_lock_that_is_held_is_named_in_bounded_time(login: Login, lock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_steps, "PACKAGE_LOCK_TIMEOUT_S", 2)
    login.sh("rm -rf /var/lib/apt/lists; mkdir -p /var/lib/apt/lists")
    login.sh(f'systemd-run -q --unit=holder python3 -c "{HOLD.format(lock)}"')
    try:
        assert eventually(lambda: "held" in login.sh("journalctl -q -u holder -b -o cat"))
        start_s = time.monotonic()
        with pytest.raises(StepError, match=rf"apt did not install .*Could not get lock {lock}.* held by"):
            Node(login, "ha_second").install_keepalived()
        assert time.monotonic() - start_s < 30
    finally:
        login.sh("systemctl stop holder; journalctl -q --rotate --vacuum-time=1s; rm -f /run/haos.lock")


def test_no_network_for_apt_is_said(login: Login) -> None:
    login.sh("cp /etc/apt/sources.list /root/kept; rm -rf /var/lib/apt/lists")
    login.sh("echo 'deb http://deb.invalid/debian bookworm main' >/etc/apt/sources.list")
    try:
        with pytest.raises(StepError, match=r"Temporary failure resolving 'deb.invalid'|Could not resolve"):
            Node(login, "ha_second").install_keepalived()
    finally:
        login.sh("mv /root/kept /etc/apt/sources.list; rm -f /run/haos.lock")


def test_disk_without_room_changes_nothing(login: Login) -> None:
    node = Node(login, "ha_second")
    node.install_keepalived()
    try:
        config = config_of(node.facts(mac_of(login)), ip_address("10.200.51.32"))
        login.sh(
            "mount -t tmpfs -o size=8k tmpfs /etc/keepalived; head -c 8000 /dev/zero >/etc/keepalived/other || :"
        )
        with pytest.raises(StepError, match=r"is the disk full|cannot"):
            node.configure(config)
        assert login.sh("find /etc/keepalived -mindepth 1; ls /etc/systemd/system | grep keepalived || :") == (
            "/etc/keepalived/other\n"
        )
    finally:
        login.sh("umount /etc/keepalived")
        node.remove(removal())
