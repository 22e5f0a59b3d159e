"""Becoming root by sudo: without a password, with one, refused; and the password goes nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from haos.adapters.openssh import Connection
from haos.errors import LoginError, RemoteError, StepError
from tests.adapters.openssh_server import INSTANCE, Client, Sshd, command_lines, wait_until

pytestmark = pytest.mark.real

PASSWORD = "pa$$ 'w\"ord"

# sudo as far as these tests need it: its options, its words and its way to read the password, byte by byte.
FAKE_SUDO = """\
#!/bin/sh
echo "$*" >>{folder}/sudo.log
mode=$(cat {folder}/mode)
ask=
while :; do case $1 in
  -n) ask=never; shift;;
  -S) ask=stdin; shift;;
  -p) shift 2;;
  *) break;;
esac; done
case $mode in
  password)
    [ $ask = stdin ] || {{ echo "sudo: a password is required" >&2; exit 1; }}
    IFS= read -r given
    [ "$given" = "$(cat {folder}/password)" ] || {{
      echo "Sorry, try again." >&2; echo "sudo: no password was provided" >&2
      echo "sudo: 1 incorrect password attempt" >&2; exit 1; }};;
  ticket) [ $ask = stdin ] || {{ echo "sudo: a password is required" >&2; exit 1; }};;
  tty) echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1;;
  sudoers) echo "mallory is not in the sudoers file." >&2; exit 1;;
esac
AS_ROOT=yes; export AS_ROOT
exec "$@"
"""


class Machine:
    """An sshd whose sessions find a fake `sudo`, and an `id` that says that they are nobody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.program("sudo", FAKE_SUDO.format(folder=folder))
        self.program("id", "#!/bin/sh\necho 1000\n")
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        (folder / "password").write_text(PASSWORD)
        path = f"{self.programs}:/usr/bin:/bin"
        self.server = Sshd(folder, extra=[f"SetEnv PATH={path} TMPDIR={self.scratch}"])
        self.mode("free")

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def mode(self, mode: str) -> None:
        (self.folder / "mode").write_text(mode)

    @property
    def calls(self) -> list[str]:
        """Every command line that sudo got."""
        log = self.folder / "sudo.log"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def left(self) -> list[Path]:
        """What lies in the machine's temporary folder."""
        return list(self.scratch.iterdir())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    machine.server.start()
    yield machine
    machine.server.stop()


@pytest.fixture
def client(machine: Machine) -> Iterator[Client]:
    client = Client(machine.server, machine.folder).trust()
    client.options = replace(client.options, sudo_password=PASSWORD)
    yield client
    client.close()


@pytest.fixture
def connection(client: Client) -> Connection:
    return client.gateway().connect(INSTANCE)


WHO = 'echo "${AS_ROOT:-no}"; cat'


def test_without_sudo_nothing_is_asked(machine: Machine, connection: Connection) -> None:
    assert connection.run(WHO, timeout_s=5, what="t").stdout == "no\n"
    assert machine.calls == []


def test_no_password_wanted(machine: Machine, connection: Connection) -> None:
    assert connection.run(WHO, timeout_s=5, sudo=True, what="t").stdout == "yes\n"
    assert connection.run("exit 3", timeout_s=5, sudo=True, what="t").returncode == 3
    assert all(call.startswith("-n ") for call in machine.calls)
    assert len(machine.calls) == 3


def test_password_wanted_and_given(machine: Machine, connection: Connection) -> None:
    machine.mode("password")
    result = connection.run(f"{WHO}; echo err >&2; exit 4", timeout_s=5, sudo=True, what="t")
    assert (result.returncode, result.stdout, result.stderr) == (4, "yes\n", "err\n")
    assert machine.left == []


def test_password_is_tried_once(machine: Machine, connection: Connection) -> None:
    machine.mode("password")
    (machine.folder / "password").write_text("another")
    with pytest.raises(LoginError, match="refused the password of") as caught:
        connection.run(WHO, timeout_s=5, sudo=True, what="t")
    assert caught.value.hint is not None
    assert "--ask-sudo-password" in caught.value.hint
    with pytest.raises(LoginError, match="refused the password of"):
        connection.run(WHO, timeout_s=5, sudo=True, what="another thread's step")
    assert len([call for call in machine.calls if "-S" in call]) == 1


def test_password_that_stops_to_work_leaves_nothing_behind(machine: Machine, connection: Connection) -> None:
    machine.mode("password")
    assert connection.can_sudo()
    (machine.folder / "password").write_text("another")
    with pytest.raises(LoginError, match="refused the password of"):
        connection.run(WHO, timeout_s=5, sudo=True, what="t")
    assert machine.left == []


def test_password_that_sudo_leaves_unread_gets_nowhere(machine: Machine, connection: Connection) -> None:
    machine.mode("password")
    assert connection.can_sudo()
    machine.mode("ticket")
    assert connection.run(WHO, timeout_s=5, sudo=True, what="t").stdout == "yes\n"
    with connection.spawn(["cat"], sudo=True) as process:
        assert process.communicate(b"mine", timeout=5)[0] == b"mine"


@pytest.mark.parametrize("mode", ["free", "password"])
def test_spawned_process_is_root_with_a_clean_stdin(machine: Machine, connection: Connection, mode: str) -> None:
    machine.mode(mode)
    argv = ["sh", "-c", 'echo "$AS_ROOT $1 $0"; cat', "it's", "a b"]
    with connection.spawn(argv, sudo=True) as process:
        assert process.communicate(b"first line\nsecond", timeout=5)[0] == b"yes a b it's\nfirst line\nsecond"
    assert machine.left == []


def test_time_limit_holds_for_root(machine: Machine, connection: Connection) -> None:
    machine.mode("password")
    with pytest.raises(StepError, match=r"took more than 0\.5 s"):
        connection.run("sleep 9", timeout_s=0.5, sudo=True, what="t")
    assert machine.left == []


def test_password_is_in_no_command_line_log_or_repr(machine: Machine, client: Client) -> None:
    machine.mode("password")
    connection = client.gateway().connect(INSTANCE)
    flag = machine.folder / "flag"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connection.run, f"touch {flag}; sleep 1", timeout_s=5, sudo=True, what="t")
        wait_until(flag.exists, "the script runs")
        seen = command_lines()
        running.result()
    assert any(f"{machine.scratch}/haos." in line for line in seen.values())
    assert not [line for line in seen.values() if PASSWORD in line]
    assert not [call for call in machine.calls if PASSWORD in call]
    assert PASSWORD not in repr(client.options)
    assert PASSWORD not in repr(connection.target)


def test_secrets_are_not_in_the_environment_of_ssh(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAOS_SUDO_PASSWORD", PASSWORD)
    monkeypatch.setenv("OS_PASSWORD", PASSWORD)
    monkeypatch.setenv("OS_APPLICATION_CREDENTIAL_SECRET", PASSWORD)
    client.gateway().connect(INSTANCE)
    mine = [pid for pid, line in command_lines().items() if line.startswith("ssh ") and str(client.folder) in line]
    assert mine
    for pid in mine:
        assert PASSWORD.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.parametrize(
    ("mode", "password", "reason", "hint"),
    [
        ("password", None, "wants the password of", "use --ask-sudo-password or HAOS_SUDO_PASSWORD"),
        ("tty", PASSWORD, "must have a tty", "!requiretty"),
        ("sudoers", PASSWORD, "not in the sudoers", "--ssh-user"),
    ],
)
def test_sudo_refuses(
    machine: Machine, client: Client, mode: str, password: str | None, reason: str, hint: str
) -> None:
    machine.mode(mode)
    client.options = replace(client.options, sudo_password=password)
    connection = client.gateway().connect(INSTANCE)
    with pytest.raises(LoginError, match=reason) as caught:
        connection.run("true", timeout_s=5, sudo=True, what="t")
    assert caught.value.hint is not None
    assert hint in caught.value.hint
    assert not connection.can_sudo()


def test_root_needs_no_sudo(machine: Machine, connection: Connection) -> None:
    machine.program("id", "#!/bin/sh\necho 0\n")
    assert connection.run(WHO, timeout_s=5, sudo=True, what="t").stdout == "no\n"
    assert machine.calls == []


FULL = {
    "for a folder": "#!/bin/sh\necho 'mktemp: No space left on device' >&2\nexit 1\n",
    "for the file in it": '#!/bin/sh\nd=$(/usr/bin/mktemp "$@")\nln -s /dev/full "$d/step"\necho "$d"\n',
}


@pytest.mark.parametrize("mktemp", FULL.values(), ids=FULL.keys())
def test_full_disk_is_said_and_nothing_is_left(machine: Machine, connection: Connection, mktemp: str) -> None:
    machine.mode("password")
    machine.program("mktemp", mktemp)
    with pytest.raises(RemoteError, match=r"no private file could be made on .*: .*No space left") as caught:
        connection.run(WHO, timeout_s=5, sudo=True, what="t")
    assert "is its /tmp full" in (caught.value.hint or "")
    assert machine.left == []


def test_full_disk_does_not_matter_without_a_password(machine: Machine, connection: Connection) -> None:
    machine.program("mktemp", FULL["for a folder"])
    assert connection.run(WHO, timeout_s=5, sudo=True, what="t").stdout == "yes\n"
