"""The ssh process that holds a connection open for the others: a child of haos that ends with haos."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from haos.adapters.openssh_client import Endpoint, destination, environment, no_ssh, run_tool
from haos.adapters.openssh_errors import KEY_TROUBLE, NotReadyError, classify, expired, other_user, printable
from haos.adapters.openssh_keys import keys_note
from haos.adapters.private import open_private
from haos.errors import LoginError, RemoteError

LOGIN_TIMEOUT_S = 60.0  # time enough to touch a security key
_STOP_TIMEOUT_S = 2.0
_LOUDER_TIMEOUT_S = 20.0
_LOG_LIMIT = 16_384


class Master:
    """One multiplexing ssh.

    Its session runs `cat` on a pipe of ours: a line that comes back proves that login and shell work, and when
    haos ends, however it ends, the pipe closes, `cat` ends and so does the connection. (PR_SET_PDEATHSIG would
    fire when the thread that connected ends.)
    """

    def __init__(self, target: Endpoint, pin: Sequence[str], socket: Path) -> None:
        self.target = target
        self._pin = pin
        self.socket = socket
        self._log_path = socket.with_suffix(".log")
        master = ["-M", "-S", str(socket), "-o", "ControlPersist=no", "-T"]
        with open_private(self._log_path) as log:
            try:
                self._process = subprocess.Popen(
                    ["ssh", *pin, *master, *destination(target.options, target.address), "cat"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment(),
                    start_new_session=True,  # no terminal to prompt on, and Ctrl-C is for haos alone
                )
            except FileNotFoundError:
                raise no_ssh("ssh") from None

    @property
    def alive(self) -> bool:
        """Say whether the connection is still held."""
        return self._process.poll() is None

    def await_login(self, timeout_s: float = LOGIN_TIMEOUT_S) -> None:
        """Wait until the far side answers; raise what went wrong otherwise."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        token = f"haos-{secrets.token_hex(8)}\n".encode()
        with contextlib.suppress(BrokenPipeError):
            stdin.write(token)
            stdin.flush()
        heard = b""
        deadline_s = time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(stdout, select.POLLIN)
        while token not in heard:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not poll.poll(left_s * 1000):
                raise NotReadyError(
                    f"{self.target} did not finish the login within {timeout_s:g} s",
                    hint=f"is it overloaded? try it by hand: ssh {self.target.user}@{self.target.address}",
                )
            try:
                chunk = os.read(stdout.fileno(), 65_536)
            except (ValueError, OSError):
                # stop(), called from another thread, has closed the pipe under us.
                raise RemoteError(f"the connection to {self.target} is closed") from None
            if not chunk:
                raise self._refused(heard.decode(errors="replace"))
            heard = (heard + chunk)[-_LOG_LIMIT:]
            wanted = other_user(heard.decode(errors="replace"), self.target)
            if wanted:
                raise wanted

    def let_end(self) -> None:
        """Give a connection that is lost the time to end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_TIMEOUT_S)

    def stop(self) -> None:
        """End the connection and everything that ssh started for it (a proxy); safe to repeat."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        for path in (self.socket, self._log_path):
            path.unlink(missing_ok=True)

    def complaint(self) -> str:
        """Return what ssh has written to stderr."""
        try:
            return self._log_path.read_bytes()[-_LOG_LIMIT:].decode(errors="replace")
        except FileNotFoundError:
            return ""

    def _refused(self, heard: str) -> RemoteError:
        self.let_end()
        stderr = self.complaint()
        if self._process.poll() == 255:
            return self._classified(stderr if stderr.strip() else self._asked_again())
        if over := expired(heard + stderr, self.target):
            return over
        said = printable(heard) or printable(stderr) or "the session ended at once"
        return LoginError(
            f"{self.target} let {self.target.user} in but runs no commands: {said}",
            hint="name a user with a login shell: --ssh-user",
        )

    def _classified(self, stderr: str) -> RemoteError:
        error = classify(stderr, self.target)
        denied = isinstance(error, LoginError) and "Permission denied" in stderr
        if denied and not KEY_TROUBLE.search(stderr) and (note := keys_note(self.target)):
            return LoginError(f"{error.reason}: {note}", hint=error.hint)
        return error

    def _asked_again(self) -> str:
        """Return what a less quiet ssh says: one that hides banners hides these reasons too."""
        argv = [
            "ssh",
            "-o",
            "LogLevel=INFO",
            *self._pin,
            "-T",
            *destination(self.target.options, self.target.address),
        ]
        said = run_tool([*argv, "true"], timeout_s=_LOUDER_TIMEOUT_S).stderr
        return said if "Unable to negotiate" in said or expired(said, self.target) else ""
