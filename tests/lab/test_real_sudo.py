"""Becoming root on a real instance, with the real sudo: free, with a password, and refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from haos.adapters.connect import connect
from haos.adapters.openssh import Connection, SshGateway, SshOptions
from haos.errors import LoginError
from haos.lab import control
from tests.lab.main_job import eventually, on

pytestmark = [pytest.mark.lab, pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]

PASSWORD = "pa$$ 'w\"ord"
RULES = "/etc/sudoers.d/90-cloud-init-users"

Connecting = Callable[[str | None], Connection]


@pytest.fixture
def connecting(lab_name: str, tmp_path: Path) -> Iterator[Connecting]:
    """Connect to the observer as haos does, with a sudo password or none."""
    clouds = control.clouds_yaml(lab_name)
    assert clouds is not None
    cloud = connect([f"--os-cloud={lab_name}"], config_files=[clouds])
    [observer] = cloud.instances(["observer"])["observer"]
    gateways: list[SshGateway] = []

    def make(password: str | None) -> Connection:
        options = SshOptions(user="debian", config=Path(cloud.settings["ssh_config"]), sudo_password=password)
        gateways.append(SshGateway(options, cloud.console_log, None, tmp_path / str(len(gateways))))
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


@pytest.fixture
def without_sudo(lab_name: str) -> Iterator[None]:
    """Take sudo away from the observer; a process of root's brings it back when it is told to."""
    waiter = "until [ -e /tmp/back ]; do sleep 0.05; done; mv /usr/bin/sudo.away /usr/bin/sudo; rm /tmp/back"
    on(lab_name, "observer", f"sudo systemd-run -q sh -c '{waiter}'; sudo mv /usr/bin/sudo /usr/bin/sudo.away")
    yield
    on(lab_name, "observer", "touch /tmp/back")
    assert eventually(lambda: "back" in on(lab_name, "observer", "[ -x /usr/bin/sudo ] && echo back", ok=False))


def test_no_sudo_there(without_sudo: None, connecting: Connecting) -> None:
    with pytest.raises(LoginError, match=r"has no sudo, and debian is not root") as error:
        connecting(None).run("true", timeout_s=10, sudo=True, what="t")
    assert "--ssh-user root" in (error.value.hint or "")
