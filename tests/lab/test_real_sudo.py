"""Becoming root on a real instance, with the real sudo: free, with a password, and refused."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from haos.adapters.connect import connect
from haos.adapters.openssh import Connection, SshGateway, SshOptions
from haos.errors import LoginError, RemoteError
from haos.lab import control
from tests.lab.main_job import eventually, on

pytestmark = [pytest.mark.lab, pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]

PASSWORD = "pa$$ 'w\"ord"
PLAIN_PASSWORD = "plain:word7word"
RULES = "/etc/sudoers.d/90-cloud-init-users"

Connecting = Callable[..., Connection]


@pytest.fixture
def connecting(lab_name: str, tmp_path: Path) -> Iterator[Connecting]:
    """Connect to the observer as haos does, with a sudo password or none."""
    clouds = control.clouds_yaml(lab_name)
    assert clouds is not None
    cloud = connect([f"--os-cloud={lab_name}"], config_files=[clouds])
    [observer] = cloud.instances(["observer"])["observer"]
    gateways: list[SshGateway] = []

    def make(password: str | None, user: str = "debian") -> Connection:
        options = SshOptions(user=user, config=Path(cloud.settings["ssh_config"]), sudo_password=password)
        folder = tmp_path / str(len(gateways))
        gateways.append(SshGateway(options, cloud.console_log, None, folder, ready_timeout_s=5))
        return gateways[-1].connect(observer)

    yield make
    for gateway in gateways:
        gateway.close()


@pytest.fixture
def with_password(lab_name: str) -> Iterator[None]:
    """Let sudo on the observer want the user's password."""
    on(lab_name, "observer", f"sudo cp -p {RULES} /root/kept; printf '%s' 'debian:{_quoted()}' | sudo chpasswd")
    on(lab_name, "observer", f"echo 'debian ALL=(ALL) ALL' | sudo tee {RULES} >/dev/null")
    yield
    script = f"mv /root/kept {RULES}; passwd -q -d debian"
    ended = on(lab_name, "observer", f"printf '%s\\n' '{_quoted()}' | sudo -S -p '' sh -c '{script}'")
    assert ended == ""


def _quoted() -> str:
    return PASSWORD.replace("'", "'\"'\"'")


def test_free_sudo_and_the_host_key_from_the_console(connecting: Connecting) -> None:
    connection = connecting(None)
    assert connection.run("id -u", timeout_s=10, sudo=True, what="t").stdout == "0\n"
    assert connection.run("id -un", timeout_s=10, what="t").stdout == "debian\n"
    with connection.spawn(["sh", "-c", "id -u; cat"], sudo=True) as process:
        assert process.communicate(b"x", timeout=10)[0] == b"0\nx"


def test_sudo_with_a_password(with_password: None, connecting: Connecting) -> None:
    script = "id -u; sleep 0; tr '\\0' ' ' </proc/$PPID/cmdline"
    said = connecting(PASSWORD).run(script, timeout_s=10, sudo=True, what="t").stdout
    assert said.startswith("0\n")
    assert "ord" not in said


@pytest.mark.parametrize(("password", "reason"), [("wrong", "password"), (None, "password")])
def test_sudo_refuses(with_password: None, connecting: Connecting, password: str | None, reason: str) -> None:
    with pytest.raises(LoginError, match=reason):
        connecting(password).run("true", timeout_s=10, sudo=True, what="t")


@contextmanager
def changed(lab_name: str, change: str, back: str) -> Iterator[None]:
    """Change the observer; a process of root's that was there before changes it back, whatever became of sudo."""
    waiter = f"until [ -e /run/lock/back ]; do sleep 0.05; done; {back}; rm /run/lock/back"
    on(lab_name, "observer", f"sudo systemd-run -q sh -c {shlex.quote(waiter)}; sudo sh -ec {shlex.quote(change)}")
    yield
    on(lab_name, "observer", "touch /run/lock/back")
    assert eventually(lambda: on(lab_name, "observer", "ls /run/lock/back", ok=False) == "")


def test_no_sudo_there(lab_name: str, connecting: Connecting) -> None:
    with changed(lab_name, "mv /usr/bin/sudo /usr/bin/sudo.away", "mv /usr/bin/sudo.away /usr/bin/sudo"):
        with pytest.raises(LoginError, match=r"has no sudo, and debian is not root") as error:
            connecting(None).run("true", timeout_s=10, sudo=True, what="t")
        assert "--ssh-user root" in (error.value.hint or "")


def test_sudo_that_wants_a_terminal(lab_name: str, connecting: Connecting) -> None:
    file = "/etc/sudoers.d/99-tty"
    with changed(lab_name, f"echo Defaults requiretty >{file}", f"rm {file}"):
        with pytest.raises(LoginError, match="must have a tty") as error:
            connecting(PASSWORD).run("true", timeout_s=10, sudo=True, what="t")
        assert "!requiretty" in (error.value.hint or "")


def test_sudo_that_lets_do_little(lab_name: str, connecting: Connecting) -> None:
    change = f"cp -p {RULES} /root/kept; echo 'debian ALL=(ALL) NOPASSWD: /bin/ls' >{RULES}"
    with changed(lab_name, change, f"mv /root/kept {RULES}"):
        with pytest.raises(LoginError) as error:
            connecting(None).run("true", timeout_s=10, sudo=True, what="t")
        assert error.value.hint


PLAIN = f"useradd -m plain; cp -rT ~debian/.ssh ~plain/.ssh; chown -R plain: ~plain; echo {PLAIN_PASSWORD} | chpasswd"


@pytest.fixture
def plain(lab_name: str) -> Iterator[None]:
    """Make a user who can log in and has a password, but is nobody."""
    on(lab_name, "observer", f"sudo sh -ec {shlex.quote(PLAIN)}")
    yield
    on(lab_name, "observer", "sudo userdel -rf plain")


@pytest.mark.parametrize(
    ("password", "reason"), [(None, "wants the password of plain"), ("word7word", "plain is not in the sudoers file")]
)
def test_user_who_may_not_use_sudo(plain: None, connecting: Connecting, password: str | None, reason: str) -> None:
    connection = connecting(password, "plain")
    assert connection.run("id -un", timeout_s=10, what="t").stdout == "plain\n"
    with pytest.raises(LoginError, match=reason) as error:
        connection.run("true", timeout_s=10, sudo=True, what="t")
    assert error.value.hint


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("chage -d 0", "the password of plain on .* has expired"),
        ("usermod -e 1", "the account of plain on .* has expired"),
        ("usermod -s /usr/sbin/nologin", "runs no commands: This account is currently not available"),
        ("usermod -s /usr/bin/nonexistent", "refused to let plain log in"),
    ],
)
def test_login_that_ends_at_once(
    lab_name: str, plain: None, connecting: Connecting, change: str, reason: str
) -> None:
    on(lab_name, "observer", f"sudo {change} plain 2>&1")
    with pytest.raises(LoginError, match=reason) as error:
        connecting(None, "plain")
    assert error.value.hint


def test_root_needs_no_sudo(lab_name: str, connecting: Connecting) -> None:
    change = "mkdir -p /root/.ssh; touch /root/.ssh/authorized_keys; cp -p /root/.ssh/authorized_keys /root/kept"
    give = "cat ~debian/.ssh/authorized_keys >>/root/.ssh/authorized_keys"
    with changed(lab_name, f"{change}; {give}", "mv /root/kept /root/.ssh/authorized_keys"):
        assert connecting(None, "root").run("id -u", timeout_s=10, sudo=True, what="t").stdout == "0\n"


@pytest.fixture
def full_tmp(lab_name: str) -> Iterator[None]:
    """Leave no room in the observer's /tmp."""
    fill = "mount -t tmpfs -o size=4k,mode=1777 full /tmp; head -c 9999 /dev/zero >/tmp/fill || true"
    with changed(lab_name, fill, "umount /tmp"):
        yield


def test_disk_full_matters_only_where_sudo_wants_a_password(full_tmp: None, connecting: Connecting) -> None:
    assert connecting(None).run("id -u", timeout_s=10, sudo=True, what="t").stdout == "0\n"


def test_disk_full_is_said(with_password: None, lab_name: str, connecting: Connecting) -> None:
    def root(script: str) -> None:
        on(lab_name, "observer", f"printf '%s\\n' '{_quoted()}' | sudo -S -p '' sh -c {shlex.quote(script)}")

    root("mount -t tmpfs -o size=4k,mode=1777 full /tmp; head -c 9999 /dev/zero >/tmp/fill; true")
    try:
        with pytest.raises(RemoteError, match="No space left on device") as error:
            connecting(PASSWORD).run("true", timeout_s=10, sudo=True, what="t")
        assert "is its /tmp full" in (error.value.hint or "")
    finally:
        root("umount /tmp")
