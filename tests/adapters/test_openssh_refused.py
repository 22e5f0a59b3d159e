"""Every way in which a real ssh fails is one line with the reason, and a remedy."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from haos.errors import HaosError, HostKeyError, LoginError, RemoteError
from tests.adapters.openssh_server import INSTANCE, USER, Client, Sshd, command_lines, free_port, make_key, wait_until

pytestmark = pytest.mark.real

Serving = Callable[..., Client]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """Start a server of one's own, and give a client that trusts it."""
    clients: list[Client] = []

    def make(**options: Any) -> Client:
        folder = tmp_path / str(len(clients))
        folder.mkdir()
        clients.append(Client(Sshd(folder, **options).start(), folder, ready_timeout_s=0.2).trust())
        return clients[-1]

    yield make
    for client in clients:
        client.close()
        client.server.stop()


def refused(client: Client) -> HaosError:
    """Return the error of a connection, which must be one line with a remedy."""
    with pytest.raises(HaosError) as caught:
        client.gateway().connect(INSTANCE)
    assert isinstance(caught.value, RemoteError)
    assert "\n" not in caught.value.reason
    assert caught.value.hint
    assert caught.value.exit_code == 1
    return caught.value


def with_key(client: Client, key: Path) -> Client:
    client.options = replace(client.options, key=key)
    client.configure()
    return client


@contextmanager
def agent(folder: Path) -> Iterator[Callable[..., None]]:
    """Run an agent at folder/agent; yield `ssh-add` for it."""
    where = folder / "agent"
    ask = folder / "ask"
    ask.write_text("#!/bin/sh\necho word\n")
    ask.chmod(0o755)
    environment = os.environ | {
        "SSH_AUTH_SOCK": str(where),
        "SSH_ASKPASS": str(ask),
        "SSH_ASKPASS_REQUIRE": "force",
    }

    def add(*words: str | Path) -> None:
        subprocess.run(["ssh-add", *words], env=environment, check=True, capture_output=True)

    with subprocess.Popen(["ssh-agent", "-D", "-a", where], stdout=subprocess.DEVNULL) as process:
        wait_until(where.exists, "the agent listens")
        yield add
        process.terminate()


def by_agent(client: Client) -> Client:
    """Let the client have no key file, but the agent in its folder."""
    client.server.user_key.rename(client.folder / "moved")
    client.configure("Host *", f"  IdentityAgent {client.folder}/agent", "  IdentitiesOnly no")
    return client


def test_key_with_a_passphrase_that_no_agent_holds(serving: Serving) -> None:
    client = serving()
    key = client.folder / "sealed"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", key], check=True)
    error = refused(with_key(client, key))
    assert f"{key} has a passphrase, and no ssh agent is named" in error.reason
    assert "load the key into your ssh agent" in (error.hint or "")


def test_key_that_others_may_read(serving: Serving) -> None:
    client = serving()
    client.server.user_key.chmod(0o644)
    assert "are too open" in refused(client).reason


def test_key_that_is_none(serving: Serving) -> None:
    client = serving()
    garbage = client.folder / "garbage"
    garbage.write_text("hello")
    garbage.chmod(0o600)
    assert f'Load key "{garbage}"' in refused(with_key(client, garbage)).reason


def test_too_many_keys_in_the_agent(serving: Serving) -> None:
    client = serving(extra=["MaxAuthTries 1"])
    with agent(client.folder) as add:
        for number in range(3):
            add(make_key(client.folder / f"k{number}"))
        error = refused(by_agent(client))
    assert "too many keys from the agent" in error.reason
    assert "IdentitiesOnly" in (error.hint or "")


def test_agent_that_is_locked(serving: Serving) -> None:
    client = serving()
    with agent(client.folder) as add:
        add(client.server.user_key)
        add("-x")
        assert "your ssh agent is empty or locked" in refused(by_agent(client)).reason


def test_agent_that_holds_another_key(serving: Serving) -> None:
    client = serving()
    with agent(client.folder) as add:
        add(make_key(client.folder / "stranger"))
        assert "offers no key that is accepted" in refused(by_agent(client)).reason


def test_agent_whose_user_does_not_confirm(serving: Serving) -> None:
    client = serving()
    with agent(client.folder) as add:
        add("-c", client.server.user_key)
        (client.folder / "ask").write_text("#!/bin/sh\nexit 1\n")
        assert "agent refused operation" in refused(by_agent(client)).reason


def test_agent_that_is_gone(serving: Serving) -> None:
    assert "your ssh agent does not answer" in refused(by_agent(serving())).reason


def test_agent_with_the_right_key_is_used(serving: Serving) -> None:
    client = serving()
    with agent(client.folder) as add:
        add(client.server.user_key)
        assert by_agent(client).gateway().connect(INSTANCE).run("echo in", timeout_s=5, what="t").stdout == "in\n"


def test_user_who_may_not_log_in(serving: Serving) -> None:
    error = refused(serving(extra=[f"DenyUsers {USER}"]))
    assert f"refused to let {USER} log in" in error.reason


@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/nonexistent/shell", "/bin/false"])
def test_login_shell_that_is_none(serving: Serving, shell: str) -> None:
    error = refused(serving(authorized=f'command="{shell}" '))
    assert "runs no commands" in error.reason
    assert "--ssh-user" in (error.hint or "")


def test_password_that_has_expired(serving: Serving) -> None:
    words = "WARNING: Your password has expired.; echo Password change required but no TTY available."
    error = refused(serving(authorized=f'command="echo {words} >&2; exit 1" '))
    assert "has expired and must be changed" in error.reason
    assert f"ssh {USER}@127.0.0.1" in (error.hint or "")


def test_no_algorithm_in_common(serving: Serving) -> None:
    error = refused(serving(extra=["KexAlgorithms ecdh-sha2-nistp521"]))
    assert "no algorithm in common" in error.reason
    assert "ecdh-sha2-nistp521" in error.reason


def test_port_that_says_nothing(serving: Serving) -> None:
    client = serving()
    client.options = replace(client.options, connect_timeout_s=1)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port = mute.getsockname()[1]
        client.configure("Host *", f"  Port {port}")
        client.known_hosts.write_text(f"[127.0.0.1]:{port} {client.server.public_key}\n")
        assert "no answer (timeout)" in refused(client).reason


BANNER = """\
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Please login as the user "evil" rather than the user "root".
Connection refused
-----BEGIN SSH HOST KEY KEYS-----
"""


def test_banner_is_not_taken_for_words_of_ssh(serving: Serving, tmp_path: Path) -> None:
    (tmp_path / "banner").write_text(BANNER)
    client = serving(extra=[f"Banner {tmp_path}/banner"])
    assert client.gateway().connect(INSTANCE).run("echo out", timeout_s=5, what="t").stdout == "out\n"
    error = refused(with_key(client, make_key(client.folder / "stranger")))
    assert type(error) is LoginError
    assert f"refused to let {USER} log in" in error.reason


def through(client: Client, bastion: str, *lines: str) -> Client:
    client.options = replace(client.options, jump=bastion)
    client.configure(
        "Host bastion", "  HostName 127.0.0.1", "  HostKeyAlias bastion", *[f"  {line}" for line in lines]
    )
    key = client.server.public_key
    client.known_hosts.write_text(f"bastion {key}\n[127.0.0.1]:{client.server.port} {key}\n")
    return client


def test_bastion_of_no_such_name(serving: Serving) -> None:
    error = refused(through(serving(), "no-such-host.invalid"))
    assert "Could not resolve hostname no-such-host.invalid" in error.reason
    assert "the bastion no-such-host.invalid" in error.reason


def test_bastion_that_is_down(serving: Serving) -> None:
    assert "Connection refused" in refused(through(serving(), f"bastion:{free_port()}")).reason


def test_bastion_that_does_not_let_us_in(serving: Serving) -> None:
    client = serving()
    error = refused(through(client, f"bastion:{client.server.port}", "  User nobody-here"))
    assert "nobody-here@127.0.0.1: Permission denied" in error.reason


def test_bastion_that_forwards_nothing(serving: Serving) -> None:
    client = serving(extra=["AllowTcpForwarding no"])
    error = refused(through(client, f"bastion:{client.server.port}"))
    assert "administratively prohibited" in error.reason
    assert "AllowTcpForwarding" in (error.hint or "")


def test_bastion_with_another_key(serving: Serving) -> None:
    client = serving()
    other = make_key(client.folder / "other").with_suffix(".pub").read_text()
    through(client, f"bastion:{client.server.port}")
    right = client.known_hosts.read_text().partition("\n")[2]
    client.known_hosts.write_text(f"bastion {other}{right}")
    error = refused(client)
    assert "the bastion" in error.reason
    assert not isinstance(error, HostKeyError)
    assert "host key" in (error.hint or "")


def children(server: Sshd) -> list[int]:
    """Return the processes of the server that hold a session."""
    assert server.process is not None
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True)
    return [int(word) for word in listed.stdout.split()]


def test_session_that_the_far_side_ends_under_a_script(serving: Serving) -> None:
    client = serving()
    connection = client.gateway().connect(INSTANCE)
    flag = client.folder / "running"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connection.run, f"touch {flag}; sleep 5", timeout_s=10, what="long thing")
        wait_until(flag.exists, "the script runs")
        for child in children(client.server):
            os.kill(child, signal.SIGKILL)
        with pytest.raises(RemoteError, match=r"long thing: the connection to web-a .* broke") as caught:
            running.result(timeout=10)
    assert caught.value.hint
    assert connection.run("echo again", timeout_s=5, what="t").stdout == "again\n"


def test_one_connection_for_all_scripts(serving: Serving) -> None:
    client = serving()
    connection = client.gateway().connect(INSTANCE)
    for _ in range(3):
        connection.run("true", timeout_s=5, what="t")
    assert len(children(client.server)) == 1
    assert len([line for line in command_lines().values() if f"{client.folder}/ssh_config" in line]) == 1
