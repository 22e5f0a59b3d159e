"""A connection to one instance: scripts and processes, as the user or as root, over one kept ssh."""

from __future__ import annotations

import contextlib
import enum
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from haos.adapters import openssh_script as shell
from haos.adapters.openssh_client import Endpoint, environment
from haos.adapters.openssh_errors import LOST, other_user, printable
from haos.adapters.openssh_master import Master
from haos.errors import LoginError, RemoteError, StepError

_KILL_AFTER_S = 2
_GRACE_S = 5.0  # how much longer than the far side the near side waits
_SHORT_S = 20.0  # for scripts of our own that do next to nothing
_SUDO = "env LC_ALL=C sudo"
_UPLOADED = re.compile(r"/[\w./+-]+/haos\.\w+/step")


class SudoWay(enum.Enum):
    """How a command becomes root's on this instance."""

    ROOT = "root"  # we are root
    FREE = "free"  # sudo asks for no password
    PASSWORD = "password"  # noqa: S105 - the name of a way, no password


@dataclass(frozen=True)
class CommandResult:
    """How a script ended, and what it said; noise that the login made before is not in it."""

    returncode: int
    stdout: str
    stderr: str


class Connection:
    """One instance, reached. Threads may share it; a connection that broke is made anew by the next call."""

    def __init__(self, target: Endpoint, open_master: Callable[[], Master]) -> None:
        self._target = target
        self._open_master = open_master
        self._lock = threading.RLock()
        self._master: Master | None = open_master()
        self._sudo_way: SudoWay | LoginError | None = None
        self._spawned: list[subprocess.Popen[bytes]] = []
        self._closed = False

    @property
    def closed(self) -> bool:
        """Say whether it was ended for good."""
        return self._closed

    @property
    def target(self) -> Endpoint:
        """The instance, its address and the user."""
        return self._target

    def run(self, script: str, *, timeout_s: float, sudo: bool = False, what: str) -> CommandResult:
        """Run one script by `sh` and return how it ended; its stdin is empty, PATH has sbin, LC_ALL is C.

        The script is killed on the instance after `timeout_s`: StepError. Raises RemoteError if the connection
        breaks (then the script may have run), LoginError if sudo or the login shell refuse. `what` names the step
        in those errors ("installing keepalived").
        """
        marker = shell.new_marker()
        text = shell.wrap(script, marker)
        limited = f"timeout -k {_KILL_AFTER_S} {timeout_s:.3f} sh"
        way = self._way() if sudo else SudoWay.ROOT
        if way is SudoWay.PASSWORD:
            path = self._upload(shell.vanishing(text), what)
            try:
                return self._execute(f"{_SUDO} -S -p '' {limited} {path}", self._password(), marker, timeout_s, what)
            except RemoteError:
                self._discard(path)
                raise
        prefix = f"{_SUDO} -n " if way is SudoWay.FREE else ""
        return self._execute(f"{prefix}{limited} -s", text, marker, timeout_s, what)

    def spawn(self, argv: Sequence[str], *, sudo: bool = False) -> subprocess.Popen[bytes]:
        """Start a process there with pipes to all three of its streams; the caller reads, and closes, them.

        It should end when its stdin does: that is how it learns that haos is gone. The login shell may print
        noise before it. close() ends it on this side.
        """
        command = shlex.join(argv)
        way = self._way() if sudo else SudoWay.ROOT
        if way is not SudoWay.PASSWORD:
            prefix = f"{_SUDO} -n" if way is SudoWay.FREE else "env LC_ALL=C"
            return self._start(f"{prefix} {shell.for_any_shell(command)}")
        marker = shell.new_marker()
        path = self._upload(shell.handover(marker, command), f"starting {argv[0]}")
        process = self._start(f"{_SUDO} -S -p '' sh {path}")
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(f"{self._password()}{marker}\n".encode())
            process.stdin.flush()
        return process

    def can_sudo(self) -> bool:
        """Say whether anything can be run as root; the instance is asked once."""
        try:
            self._way()
        except LoginError:
            return False
        return True

    def close(self) -> None:
        """End every process of this connection on this side, and the connection; safe to repeat."""
        with self._lock:
            self._closed = True
            for process in self._spawned:
                if process.poll() is None:
                    process.kill()
                process.wait()
            self._spawned.clear()
            if self._master:
                self._master.stop()
                self._master = None

    def _live(self) -> Master:
        with self._lock:
            if self._closed:
                raise RemoteError(f"the connection to {self._target} is closed")
            if self._master is None or not self._master.alive:
                if self._master:
                    self._master.stop()
                    self._master = None
                self._master = self._open_master()
            return self._master

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        """Start a client of the master; it has no way of its own to the instance, should the master be gone."""
        master = self._live()
        client = ["-F", "/dev/null", "-S", str(master.socket), "-o", "ControlMaster=no", "-o", "ProxyCommand=false"]
        quiet = ["-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-T"]
        process = subprocess.Popen(
            ["ssh", *client, *quiet, str(self._target.address), command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
        with self._lock:
            self._spawned = [other for other in self._spawned if other.poll() is None]
            self._spawned.append(process)
        return process

    def _execute(self, command: str, stdin: str, marker: str, timeout_s: float, what: str) -> CommandResult:
        started_s = time.monotonic()
        with self._start(command) as process:
            try:
                out, err = process.communicate(stdin.encode(), timeout=timeout_s + _KILL_AFTER_S + _GRACE_S)
            except subprocess.TimeoutExpired:
                raise RemoteError(
                    f"{what}: {self._target} has not answered for {timeout_s + _GRACE_S:g} s", hint=self._by_hand()
                ) from None
            finally:
                process.kill()  # nothing happens to one that has ended
        stdout, stderr = out.decode(errors="replace"), err.decode(errors="replace")
        said, complained = shell.after(marker, stdout), shell.after(marker, stderr)
        if process.returncode == 255:
            self._raise_if_lost(stderr, what)
        if said is None:
            raise self._not_begun(stdout, stderr, what)
        if process.returncode in (124, 137) and time.monotonic() - started_s >= timeout_s:
            raise StepError(
                f"{what}: took more than {timeout_s:g} s on {self._target} and was ended", hint=self._by_hand()
            )
        return CommandResult(process.returncode, said, stderr if complained is None else complained)

    def _raise_if_lost(self, stderr: str, what: str) -> None:
        """Tell a connection that broke from a script that ended with ssh's own number for it, 255."""
        last = stderr.strip().rpartition("\n")[2]
        if "mux_client_request_session: session request failed" in stderr:
            raise RemoteError(
                f"{what}: {self._target} allows too few sessions on one connection",
                hint="set MaxSessions to 4 or more in its sshd_config",
            )
        master = self._master
        if master:
            # It may be about to end: that tells, where ssh says nothing, and the next call must not meet it dying.
            master.let_end()
        if LOST.search(last) or master is None or not master.alive:
            raise RemoteError(f"{what}: the connection to {self._target} broke", hint="run the same command again")

    def _not_begun(self, stdout: str, stderr: str, what: str) -> RemoteError:
        wanted = other_user(stdout, self._target)
        if wanted:
            return wanted
        if re.search(r"^sudo: |sudoers|not allowed to (?:execute|run)", stderr, re.MULTILINE):
            return self._sudo_refused(stderr)
        said = printable(stderr) or printable(stdout) or "the shell said nothing"
        return RemoteError(f"{what}: {self._target} did not begin: {said}", hint=self._by_hand())

    def _by_hand(self) -> str:
        return f"is it overloaded, or its disk full? look there: ssh {self._target.user}@{self._target.address}"

    def _upload(self, content: str, what: str) -> str:
        result = self.run(shell.upload(content), timeout_s=_SHORT_S, what=what)
        path = result.stdout.strip()
        if not _UPLOADED.fullmatch(path):
            why = printable(result.stderr) or "no answer"
            raise RemoteError(
                f"{what}: no private file could be made on {self._target}: {why}",
                hint="is its /tmp full, or not writable? df -h /tmp",
            )
        return path

    def _discard(self, path: str) -> None:
        """Take away what an uploaded file that never ran could not take away itself."""
        with contextlib.suppress(RemoteError):
            if not self._closed and self._master and self._master.alive:
                self.run(shell.discard(path), timeout_s=_SHORT_S, what="cleaning up")

    def _way(self) -> SudoWay:
        with self._lock:
            if self._sudo_way is None:
                try:
                    self._sudo_way = self._find_way()
                except LoginError as error:
                    self._sudo_way = error  # a wrong password is not to be counted for every thread
            if isinstance(self._sudo_way, LoginError):
                raise self._sudo_way
            return self._sudo_way

    def _find_way(self) -> SudoWay:
        probe = self.run(shell.SUDO_PROBE, timeout_s=_SHORT_S, what="asking sudo")
        answer = probe.stdout.strip()
        if answer in (SudoWay.ROOT.value, SudoWay.FREE.value):
            return SudoWay(answer)
        user = self._target.user
        if answer == "missing":
            raise LoginError(
                f"{self._target} has no sudo, and {user} is not root",
                hint="install sudo there, or use --ssh-user root",
            )
        if not re.search(r"password is required|terminal is required|askpass", probe.stderr):
            raise self._sudo_refused(probe.stderr)
        if self._target.options.sudo_password is None:
            raise LoginError(
                f"sudo on {self._target} wants the password of {user}",
                hint="use --ask-sudo-password or HAOS_SUDO_PASSWORD",
            )
        self._try_password()
        return SudoWay.PASSWORD

    def _try_password(self) -> None:
        """Try the password once, on a command that does nothing: a wrong one must not be counted at every step."""
        with self._start(f"{_SUDO} -S -p '' timeout -k 2 10 true") as process:
            try:
                _, err = process.communicate(self._password().encode(), timeout=_SHORT_S)
            except subprocess.TimeoutExpired:
                raise RemoteError(
                    f"sudo on {self._target} has not answered for {_SHORT_S:g} s", hint=self._by_hand()
                ) from None
            finally:
                process.kill()
        if process.returncode != 0:
            raise self._sudo_refused(err.decode(errors="replace"))

    def _password(self) -> str:
        return f"{self._target.options.sudo_password}\n"

    def _sudo_refused(self, stderr: str) -> LoginError:
        user = self._target.user
        if re.search(r"incorrect password|no password was provided|try again", stderr):
            return LoginError(
                f"sudo on {self._target} refused the password of {user}",
                hint="give it again: --ask-sudo-password or HAOS_SUDO_PASSWORD",
            )
        if "tty" in stderr:
            hint = f"let {user} use sudo without a terminal there: Defaults:{user} !requiretty"
        else:
            hint = "use --ssh-user with a user who may run everything"
        return LoginError(f"sudo on {self._target} lets {user} not be root: {printable(stderr)}", hint=hint)
