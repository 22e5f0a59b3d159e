"""Logging in over a real sshd: waiting, keys, bastions, odd configurations, and every refusal in words."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from haos.adapters.openssh import AddressChoice, SshOptions
from haos.adapters.openssh_client import choose_address
from haos.errors import LoginError, RemoteError, UsageError
from tests.adapters.openssh_server import (
    INSTANCE,
    USER,
    Client,
    Sshd,
    clients_of,
    command_lines,
    free_port,
    make_key,
    wait_until,
)

pytestmark = pytest.mark.real


def test_instance_that_comes_up_in_a_moment_is_waited_for(tmp_path: Path) -> None:
    server = Sshd(tmp_path)
    client = Client(server, tmp_path, ready_timeout_s=20).trust()
    timer = threading.Timer(1.0, server.start)
    timer.start()
    try:
        assert client.gateway().connect(INSTANCE).run("echo up", timeout_s=5, what="t").stdout == "up\n"
    finally:
        client.close()
        timer.join()
        server.stop()


def test_why_an_instance_is_still_waited_for_can_be_asked(client: Client) -> None:
    client.configure("Host *", f"  Port {free_port()}")
    client.known_hosts.write_text(f"127.0.0.1 {client.server.public_key}\n")
    client.ready_timeout_s = 5
    gateway = client.gateway()
    assert gateway.awaited(INSTANCE) is None

    def refused() -> None:
        with pytest.raises(RemoteError):
            gateway.connect(INSTANCE)

    trying = threading.Thread(target=refused)
    trying.start()
    wait_until(lambda: "connection refused" in str(gateway.awaited(INSTANCE)), "refused once")
    trying.join()
    assert gateway.awaited(INSTANCE) is None, "nobody waits for it any more"


def test_refused_until_the_deadline(client: Client) -> None:
    client.configure("Host *", f"  Port {free_port()}")
    client.known_hosts.write_text(f"127.0.0.1 {client.server.public_key}\n")
    client.ready_timeout_s = 0.5
    began_s = time.monotonic()
    with pytest.raises(
        RemoteError, match=r"cannot connect to web-a .* at 127\.0\.0\.1: connection refused"
    ) as caught:
        client.gateway().connect(INSTANCE)
    assert 0.5 <= time.monotonic() - began_s < 8
    assert caught.value.hint is not None
    assert "--ssh-address" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("SHUTOFF", "start"),
        ("PAUSED", "unpause"),
        ("SUSPENDED", "resume"),
        ("SHELVED_OFFLOADED", "unshelve"),
        ("ERROR", "show"),
        ("BUILD", "show"),
    ],
)
def test_instance_that_does_not_run_is_not_waited_for(
    client: Client, monkeypatch: pytest.MonkeyPatch, status: str, remedy: str
) -> None:
    monkeypatch.setenv("PATH", str(client.folder))  # no ssh is tried
    client.ready_timeout_s = 30
    with pytest.raises(RemoteError, match=f"^web-a is {status}$") as caught:
        client.gateway().connect(replace(INSTANCE, status=status))
    assert caught.value.hint == f"openstack server {remedy} {INSTANCE.id}"


def test_instance_that_reboots_is_waited_for(client: Client) -> None:
    connection = client.gateway().connect(replace(INSTANCE, status="REBOOT"))
    assert connection.run("echo up", timeout_s=5, what="t").stdout == "up\n"


def test_wrong_key_is_refused_at_once(client: Client) -> None:
    client.options = replace(client.options, key=make_key(client.folder / "50% stranger"))
    client.configure()
    client.ready_timeout_s = 60
    began_s = time.monotonic()
    with pytest.raises(LoginError, match=f"refused to let {USER} log in") as caught:
        client.gateway().connect(INSTANCE)
    assert time.monotonic() - began_s < 20
    assert caught.value.hint is not None
    assert "--ssh-user" in caught.value.hint
    assert "--ssh-key" in caught.value.hint


def test_key_and_user_options_are_used(client: Client) -> None:
    right = client.folder / "100%h key"
    right.write_bytes(client.server.user_key.read_bytes())
    right.chmod(0o600)
    client.options = replace(client.options, key=right)
    client.configure()
    assert client.gateway().connect(INSTANCE).run("true", timeout_s=5, what="t").returncode == 0
    client.options = replace(client.options, user="nobody-of-that-name")
    with pytest.raises(LoginError, match="nobody-of-that-name"):
        client.gateway().connect(INSTANCE)


@pytest.mark.parametrize(
    ("command", "match", "hint"),
    [
        (
            'echo \'Please login as the user \\"ubuntu\\" rather than the user \\"root\\".\';echo;sleep 10;exit 142',
            "wants ubuntu",
            "use --ssh-user ubuntu",
        ),
        ("echo This account is currently not available.; exit 1", "This account is currently not available", "shell"),
        ("exit 0", "the session ended at once", "shell"),
    ],
)
def test_login_that_runs_no_commands(tmp_path: Path, command: str, match: str, hint: str) -> None:
    server = Sshd(tmp_path, authorized=f'command="{command}" ').start()
    client = Client(server, tmp_path).trust()
    try:
        began_s = time.monotonic()
        with pytest.raises(LoginError, match=match) as caught:
            client.gateway().connect(INSTANCE)
        assert time.monotonic() - began_s < 8
        assert caught.value.hint is not None
        assert hint in caught.value.hint
    finally:
        client.close()
        server.stop()


def test_noise_of_the_login_is_not_in_the_result(tmp_path: Path) -> None:
    noisy = 'command="echo welcome; echo careful >&2; eval \\"$SSH_ORIGINAL_COMMAND\\"" '
    server = Sshd(tmp_path, authorized=noisy).start()
    client = Client(server, tmp_path).trust()
    try:
        result = client.gateway().connect(INSTANCE).run("echo out; echo err >&2", timeout_s=5, what="t")
        assert (result.stdout, result.stderr) == ("out\n", "err\n")
    finally:
        client.close()
        server.stop()


def test_few_sessions_are_said(tmp_path: Path) -> None:
    server = Sshd(tmp_path, extra=["MaxSessions 1"]).start()
    client = Client(server, tmp_path).trust()
    try:
        with pytest.raises(RemoteError) as caught:
            client.gateway().connect(INSTANCE).run("true", timeout_s=5, what="t")
        assert caught.value.hint is not None
        assert "MaxSessions" in caught.value.hint
    finally:
        client.close()
        server.stop()


BASTION = ("Host bastion", "  HostName 127.0.0.1", "  HostKeyAlias bastion", "  StrictHostKeyChecking yes")


@pytest.fixture
def behind(client: Client) -> Client:
    """A client that goes through the server as a bastion, whose key it knows."""
    client.options = replace(client.options, jump=f"bastion:{client.server.port}")
    client.configure(*BASTION)
    client.known_hosts.write_text(f"bastion,127.0.0.1 {client.server.public_key}\n")
    return client


def test_through_a_bastion(behind: Client) -> None:
    gateway = behind.gateway()
    assert gateway.connect(INSTANCE).run("echo $SSH_CONNECTION", timeout_s=5, what="t").stdout
    assert any("-W [127.0.0.1]" in line and str(behind.folder) in line for line in command_lines().values())
    gateway.close()
    wait_until(lambda: clients_of(behind) == [], "the proxy ended too", timeout_s=2)


def test_host_key_behind_a_bastion_is_learned(behind: Client) -> None:
    behind.options = replace(behind.options, accept_new_host_keys=True)
    behind.known_hosts.write_text(f"bastion {behind.server.public_key}\n")
    behind.console = ""
    assert behind.gateway().connect(INSTANCE).run("echo far", timeout_s=5, what="t").stdout == "far\n"
    assert behind.server.public_key in behind.cache.read_text()


def test_unknown_bastion_is_named(behind: Client) -> None:
    behind.known_hosts.write_text(f"127.0.0.1 {behind.server.public_key}\n")
    with pytest.raises(RemoteError, match=r"the bastion bastion:.* did not let us through .*Host key") as caught:
        behind.gateway().connect(INSTANCE)
    assert caught.value.hint is not None
    assert "its host key" in caught.value.hint


def test_bastion_that_cannot_reach_the_instance(behind: Client) -> None:
    behind.configure(*BASTION, "Host 127.0.0.1", f"  Port {free_port()}")
    behind.ready_timeout_s = 0.2
    with pytest.raises(RemoteError, match=r"the bastion .* cannot reach web-a .*: Connection refused"):
        behind.gateway().connect(INSTANCE)


def test_users_odd_configuration_does_not_get_in_the_way(client: Client) -> None:
    client.configure(
        "Host *",
        "  RequestTTY force",
        "  RemoteCommand echo no",
        "  ControlMaster auto",
        f"  ControlPath {client.folder}/own-%C",
        "  ControlPersist 60",
        "  LocalForward 127.0.0.1:1 127.0.0.1:1",
        "  ForwardAgent yes",
        "  LogLevel DEBUG",
    )
    assert client.gateway().connect(INSTANCE).run("echo fine", timeout_s=5, what="t").stdout == "fine\n"
    assert not list(client.folder.glob("own-*"))


def test_broken_configuration_is_said(client: Client) -> None:
    client.configure("NoSuchOption yes")
    with pytest.raises(UsageError, match="ssh cannot use its configuration"):
        client.gateway().connect(INSTANCE)


def test_ssh_missing_is_said(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(client.folder))
    with pytest.raises(RemoteError, match="ssh is not on the PATH"):
        client.gateway().connect(INSTANCE)


@pytest.mark.parametrize(
    "options",
    [
        SshOptions(jump="-oProxyCommand=touch /tmp/x"),
        SshOptions(jump=""),
        SshOptions(user="-x"),
        SshOptions(key=Path("/nonexistent/key")),
        SshOptions(config=Path("/nonexistent/config")),
        SshOptions(sudo_password="two\nlines"),
    ],
)
def test_options_that_ssh_would_misread_are_refused(options: SshOptions) -> None:
    with pytest.raises(UsageError):
        options.check()


FLOATING, FIXED, SIX = ip_address("192.0.2.7"), ip_address("10.0.0.7"), ip_address("2001:db8::7")


@pytest.mark.parametrize(
    ("floating", "fixed", "options", "expected"),
    [
        ((FLOATING,), (FIXED,), SshOptions(), FLOATING),
        ((), (FIXED,), SshOptions(), FIXED),
        ((), (SIX, FIXED), SshOptions(), FIXED),
        ((), (SIX,), SshOptions(), SIX),
        ((FLOATING,), (FIXED,), SshOptions(jump="bastion"), FIXED),
        ((FLOATING,), (), SshOptions(jump="bastion"), FLOATING),
        ((FLOATING,), (FIXED,), SshOptions(address=AddressChoice.FIXED), FIXED),
        ((FLOATING,), (FIXED,), SshOptions(address=AddressChoice.FLOATING, jump="bastion"), FLOATING),
        ((), (FIXED,), SshOptions(address=AddressChoice.FLOATING), "has no floating address"),
        ((FLOATING,), (), SshOptions(address=AddressChoice.FIXED), "has no fixed address"),
        ((), (), SshOptions(), "has no address"),
    ],
)
def test_address_choice(floating: tuple, fixed: tuple, options: SshOptions, expected: object) -> None:  # type: ignore[type-arg]
    instance = replace(INSTANCE, floating=floating, fixed=fixed)
    if not isinstance(expected, str):
        assert choose_address(instance, options) == expected
        return
    with pytest.raises(RemoteError, match=expected):
        choose_address(instance, options)
