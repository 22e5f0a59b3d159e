"""Connections over a real sshd: scripts, processes, time limits, refusals, and nothing left behind."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from haos.errors import LoginError, RemoteError, StepError
from tests.adapters.openssh_server import (
    INSTANCE,
    Client,
    Sshd,
    clients_of,
    command_lines,
    make_key,
    wait_until,
)

pytestmark = pytest.mark.real


def test_run_returns_how_the_script_ended(client: Client) -> None:
    connection = client.gateway().connect(INSTANCE)
    result = connection.run("echo out; echo err >&2; exit 7", timeout_s=5, what="test")
    assert (result.returncode, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert connection.run("exit 255", timeout_s=5, what="test").returncode == 255
    assert connection.run("kill -9 $$", timeout_s=5, what="test").returncode != 0


def test_a_connection_that_was_closed_is_not_kept(client: Client) -> None:
    gateway = client.gateway()
    kept = gateway.connect(INSTANCE)
    ended = weakref.ref(gateway.connect(INSTANCE))
    closed = ended()
    assert closed is not None
    closed.close()
    del closed
    last = gateway.connect(INSTANCE)
    gc.collect()
    assert ended() is None
    gateway.close()
    assert kept.closed
    assert last.closed


def test_scripts_are_carried_as_they_are(client: Client) -> None:
    connection = client.gateway().connect(INSTANCE)
    script = "cat <<'X'\n$HOME `id` \"'\\ ü\nX\nprintf '%s' 'a b;$(touch /tmp/x)'\n"
    assert connection.run(script, timeout_s=5, what="test").stdout == "$HOME `id` \"'\\ ü\na b;$(touch /tmp/x)"
    long = f"x='{'y' * 500_000}'\necho ${{#x}}"
    assert connection.run(long, timeout_s=20, what="test").stdout == "500000\n"


def test_commands_cannot_swallow_the_script(client: Client) -> None:
    connection = client.gateway().connect(INSTANCE)
    assert connection.run("cat; echo still here", timeout_s=5, what="test").stdout == "still here\n"


def test_script_that_is_no_whole_shell_text_runs_not_at_all(client: Client) -> None:
    with pytest.raises(RemoteError, match="did not begin"):
        client.gateway().connect(INSTANCE).run("echo begun\nif true", timeout_s=5, what="test")


def test_environment_of_scripts(client: Client) -> None:
    result = client.gateway().connect(INSTANCE).run('echo "$LC_ALL:$PATH"', timeout_s=5, what="test")
    locale, *path = result.stdout.strip().split(":")
    assert locale == "C"
    assert {"/usr/sbin", "/sbin", "/usr/bin"} <= set(path)


def test_remote_time_limit_ends_the_script_there(client: Client) -> None:
    connection = client.gateway().connect(INSTANCE)
    seconds = f"61.{os.getpid()}"
    with pytest.raises(StepError, match=r"slow thing: took more than 0\.5 s on web-a"):
        connection.run(f"sleep {seconds}", timeout_s=0.5, what="slow thing")
    wait_until(lambda: f"sleep {seconds} " not in command_lines().values(), "the remote sleep is gone")
    assert connection.run("echo on", timeout_s=5, what="test").stdout == "on\n"
    assert connection.run("exit 124", timeout_s=5, what="test").returncode == 124


def test_spawn_has_pipes_and_quotes_its_words(client: Client) -> None:
    connection = client.gateway().connect(INSTANCE)
    with connection.spawn(["sh", "-c", 'echo "$1"; cat', "sh", "a 'b' $HOME \n;x"]) as process:
        out, _ = process.communicate(b"through", timeout=5)
    assert out == b"a 'b' $HOME \n;x\nthrough"


def test_close_ends_what_was_spawned(client: Client) -> None:
    connection = client.gateway().connect(INSTANCE)
    with connection.spawn(["cat"]) as process:
        connection.close()
        assert process.poll() is not None
    with pytest.raises(RemoteError, match="is closed"):
        connection.run("true", timeout_s=5, what="test")


def test_close_reaps_everything(client: Client) -> None:
    gateway = client.gateway()
    gateway.connect(INSTANCE).run("true", timeout_s=5, what="test")
    assert len(clients_of(client)) == 1
    workdir = gateway._workdir
    assert workdir.stat().st_mode & 0o777 == 0o700
    gateway.close()
    gateway.close()
    assert clients_of(client) == []
    assert not workdir.exists()
    with pytest.raises(RemoteError, match="is closed"):
        gateway.connect(INSTANCE)


def test_failed_connect_leaves_no_process(client: Client) -> None:
    client.options = replace(client.options, key=make_key(client.folder / "stranger"))
    client.configure()
    with pytest.raises(LoginError):
        client.gateway().connect(INSTANCE)
    assert clients_of(client) == []


def test_killed_haos_leaves_no_master(client: Client) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.adapters.openssh_server import INSTANCE\n"
        "from haos.adapters.openssh import SshGateway, SshOptions\n"
        "gateway = SshGateway(SshOptions(config=Path(sys.argv[1])), str, None, Path(sys.argv[2]))\n"
        "gateway.connect(INSTANCE); print(gateway._workdir, flush=True); sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", program, str(client.options.config), str(client.folder)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as haos:
        assert haos.stdout is not None
        workdir = Path(haos.stdout.readline().decode().strip())
        assert len(clients_of(client)) == 1
        haos.send_signal(signal.SIGKILL)
    wait_until(lambda: clients_of(client) == [], "the master ended")
    assert workdir.exists()
    client.gateway()
    assert not workdir.exists(), "the next haos cleans up after it"


def test_master_outlives_the_thread_that_made_it(client: Client) -> None:
    gateway = client.gateway()
    with ThreadPoolExecutor(1) as pool:
        connection = pool.submit(gateway.connect, INSTANCE).result()
    (before,) = clients_of(client)
    assert connection.run("echo alive", timeout_s=5, what="test").stdout == "alive\n"
    assert clients_of(client) == [before]


def test_connection_that_broke_is_made_anew(client: Client) -> None:
    connection = client.gateway().connect(INSTANCE)
    (master,) = clients_of(client)
    os.kill(master, signal.SIGKILL)
    wait_until(lambda: not connection._master or not connection._master.alive, "the master is dead")
    assert connection.run("echo again", timeout_s=5, what="test").stdout == "again\n"


def test_connection_that_breaks_under_a_script_is_an_error(client: Client) -> None:
    connection = client.gateway().connect(INSTANCE)
    (master,) = clients_of(client)
    flag = client.folder / "running"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connection.run, f"touch {flag}; sleep 5", timeout_s=10, what="long thing")
        wait_until(flag.exists, "the script runs")
        os.kill(master, signal.SIGKILL)
        with pytest.raises(RemoteError, match=r"long thing: the connection to web-a .* broke"):
            running.result(timeout=10)


def test_many_at_once(client: Client) -> None:
    gateway = client.gateway()
    instances = [replace(INSTANCE, id=f"i-{number}", name=f"n{number}") for number in range(6)]

    def work(instance: object) -> str:
        assert isinstance(instance, type(INSTANCE))
        connection = gateway.connect(instance)
        return "".join(connection.run(f"echo {instance.name}", timeout_s=20, what="t").stdout for _ in range(3))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, instances)) == [f"n{number}\n" * 3 for number in range(6)]
    connection = gateway.connect(INSTANCE)
    with ThreadPoolExecutor(6) as pool:
        runs = pool.map(lambda n: connection.run(f"echo {n}", timeout_s=20, what="t").stdout, range(6))
        assert list(runs) == [f"{number}\n" for number in range(6)]
    gateway.close()
    assert clients_of(client) == []


def test_close_interrupts_a_connect_under_way(tmp_path: Path, shared_server: Sshd) -> None:
    client = Client(shared_server, tmp_path, ready_timeout_s=30).trust()
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        client.configure("Host *", f"  Port {mute.getsockname()[1]}")
        client.known_hosts.write_text(f"127.0.0.1 {shared_server.public_key}\n")
        gateway = client.gateway()
        with ThreadPoolExecutor(1) as pool:
            connecting = pool.submit(gateway.connect, INSTANCE)
            wait_until(lambda: len(clients_of(client)) == 1, "ssh waits for the banner")
            gateway.close()
            with pytest.raises(RemoteError):
                connecting.result(timeout=10)
    assert clients_of(client) == []
