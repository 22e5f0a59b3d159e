"""SSH to the instances by the user's own OpenSSH: his configuration, agent, bastions, certificates and keys."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from haos.adapters.hostkeys import Consent, ConsoleLog, HostKeys, KnownHostsCache
from haos.adapters.openssh_client import AddressChoice, Endpoint, SshOptions, check_status, endpoint
from haos.adapters.openssh_connection import CommandResult, Connection
from haos.adapters.openssh_errors import NotReadyError
from haos.adapters.openssh_master import Master
from haos.adapters.workdir import Workdir
from haos.core.model import Instance
from haos.errors import RemoteError

__all__ = ["AddressChoice", "CommandResult", "Connection", "SshGateway", "SshOptions"]

T = TypeVar("T")

READY_TIMEOUT_S = 30.0


class SshGateway:
    """Gives out connections, and ends them all when it is closed. Threads may share it."""

    def __init__(
        self,
        options: SshOptions,
        console_log: ConsoleLog,
        consent: Consent | None,
        cache_dir: Path,
        *,
        insecure_api: bool = False,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        """`consent` asks the user, None where there is no terminal; `console_log` reads the log by instance id.

        With `insecure_api` the console log is not believed. An instance that has just booted gets
        `ready_timeout_s` to answer.
        """
        options.check()
        self._options = options
        self._ready_timeout_s = ready_timeout_s
        self._folder = Workdir()
        self._workdir = self._folder.path
        self._host_keys = HostKeys(
            KnownHostsCache(cache_dir),
            self._workdir,
            console_log=None if insecure_api else console_log,
            consent=consent,
            accept_new=options.accept_new_host_keys,
        )
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._masters: list[Master] = []
        self._connections: list[Connection] = []
        self._early: dict[str, NotReadyError] = {}
        self._closed = False

    def __enter__(self) -> SshGateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self, instance: Instance) -> Connection:
        """Connect to an instance: choose the address, establish trust in the host key, log in.

        Raises HostKeyError, LoginError or RemoteError, UsageError for an ssh configuration that ssh refuses.
        """
        check_status(instance)
        target = endpoint(instance, self._options)
        connection = Connection(target, lambda: self._open(target, instance.id))
        with self._lock:
            self._connections = [other for other in self._connections if not other.closed]
            self._connections.append(connection)
        return connection

    def awaited(self, instance: Instance) -> RemoteError | None:
        """Return why an instance that is being connected to has not been reached so far."""
        return self._early.get(instance.id)

    def trust_anew(self, instance: Instance, fingerprints: Sequence[str]) -> None:
        """Keep the host keys that the console log shows, which are to be these. Raises HostKeyError, RemoteError."""
        check_status(instance)
        self._host_keys.trust_anew(endpoint(instance, self._options), fingerprints)

    def close(self) -> None:
        """End every connection, those under way too, and remove all temporary files; safe to repeat."""
        with self._lock:
            self._closed = True
            connections, masters = self._connections, self._masters
            self._connections, self._masters = [], []
        # Masters first: a thread that is waiting for one then lets go of its connection.
        for master in masters:
            master.stop()
        for connection in connections:
            connection.close()
        self._folder.remove()

    def _open(self, target: Endpoint, instance_id: str) -> Master:
        until_s = time.monotonic() + self._ready_timeout_s

        def patiently(action: Callable[[], T]) -> T:
            return _patiently(action, until_s, lambda error: self._early.update({instance_id: error}))

        try:
            return self._host_keys.establish(
                target, lambda pin: patiently(lambda: self._master(target, pin)), patiently
            )
        finally:
            self._early.pop(instance_id, None)

    def _master(self, target: Endpoint, pin: Sequence[str]) -> Master:
        with self._lock:
            if self._closed:
                raise RemoteError(f"the connection to {target} is closed")
            master = Master(target, pin, self._workdir / f"m{next(self._numbers)}")
            self._masters = [other for other in self._masters if other.alive]
            self._masters.append(master)
        try:
            master.await_login()
        except BaseException:
            master.stop()
            raise
        return master


def _patiently(action: Callable[[], T], until_s: float, early: Callable[[NotReadyError], None]) -> T:
    """Repeat what comes too early (refused, unreachable, silent) until the deadline; never a refused login or key.

    `early` is told why, each time.
    """
    for attempt in Retrying(
        retry=retry_if_exception_type(NotReadyError),
        stop=stop_after_delay(max(0.0, until_s - time.monotonic())),
        wait=wait_random_exponential(multiplier=0.25, max=2.0),
        reraise=True,
    ):
        with attempt:
            try:
                return action()
            except NotReadyError as error:
                early(error)
                raise
    raise AssertionError("tenacity ends by a result or by an error")
