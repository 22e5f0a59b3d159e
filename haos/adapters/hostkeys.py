"""Whom to believe about a host key: the user's files, haos's cache, the console log, the user; in this order."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import logging
import os
import shlex
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from haos.adapters.openssh_client import Endpoint, destination, run_tool
from haos.adapters.openssh_errors import ChangedHostKeyError, UnknownHostKeyError, classify
from haos.adapters.private import ForeignError, open_private, private_folder, read_private
from haos.core.hostkeys import HostKey, keys_on_console, parse_key
from haos.errors import CloudError, HostKeyError, RebuiltError, RemoteError

T = TypeVar("T")
ConsoleLog = Callable[[str], str]
Consent = Callable[[str], bool]

STRICT = ("-o", "StrictHostKeyChecking=yes")
_SCAN_TIMEOUT_S = 30.0
_log = logging.getLogger(__name__)


class KnownHostsCache:
    """The host keys that haos learned, by instance; losing it costs a look at the console log."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "known_hosts"

    def keys(self, alias: str) -> tuple[HostKey, ...]:
        """Return the keys kept under an alias."""
        found = (parse_key(rest) for name, rest in self._entries() if name == alias)
        return tuple(key for key in found if key)

    def replace(self, alias: str, keys: Sequence[HostKey]) -> None:
        """Keep exactly these keys under an alias; other processes may do the same at the same time."""
        try:
            with self._locked():
                lines = [f"{name} {rest}" for name, rest in self._entries() if name != alias]
                self._write([*lines, *(key.line(alias) for key in keys)])
        except OSError as error:
            _log.warning("the host keys of %s could not be kept in %s: %s", alias, self.path, error)

    def _entries(self) -> Iterator[tuple[str, str]]:
        try:
            text = read_private(self.path).decode("ascii", errors="replace")
        except ForeignError as error:
            _log.warning("the host keys in %s are not believed: %s", self.path, error)
            return
        except OSError:
            return
        for line in text.splitlines():
            name, _, rest = line.partition(" ")
            yield name, rest

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        directory = private_folder(self.path.parent)
        with open_private(directory / "known_hosts.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, lines: Sequence[str]) -> None:
        handle, name = tempfile.mkstemp(prefix=".known_hosts.", dir=self.path.parent)  # 0600
        try:
            with os.fdopen(handle, "w", encoding="ascii", errors="replace") as file:
                file.write("".join(f"{line}\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            os.unlink(name)
            raise


@dataclass(frozen=True)
class UserEntries:
    """What the user's own known_hosts files hold for an address."""

    pinned: bool = False  # a key of this very host
    certified: bool = False  # a CA, or a KnownHostsCommand, that may know it
    revoked: tuple[str, ...] = ()  # "TYPE BLOB"


def user_entries(target: Endpoint) -> UserEntries:
    """Look the host up in every file that ssh itself would read, as it would: hashed, with CAs and patterns."""
    command = target.config.get("knownhostscommand", "none")
    pinned, certified, revoked = False, command != "none", []
    for name, file in itertools.product(_names(target), _files(target)):
        found = run_tool(["ssh-keygen", "-F", name, "-f", str(file)], timeout_s=20)
        for line in found.stdout.splitlines():
            words = line.split()
            if line.startswith("@cert-authority"):
                certified = True
            elif line.startswith("@revoked"):
                revoked.append(" ".join(words[2:4]))
            elif words and not line.startswith("#"):
                pinned = True
    return UserEntries(pinned, certified, tuple(revoked))


def _names(target: Endpoint) -> tuple[str, ...]:
    """Return the names under which ssh looks for the key: with the port, and without it."""
    alias = target.config.get("hostkeyalias")
    name = alias or target.config.get("hostname", str(target.address))
    port = target.config.get("port", "22")
    return (name,) if alias or port == "22" else (f"[{name}]:{port}", name)


def _files(target: Endpoint) -> list[Path]:
    """Return the known_hosts files that exist; `ssh -G` prints several without quotes, so spaces are ambiguous."""
    found: list[Path] = []
    for option in ("userknownhostsfile", "globalknownhostsfile"):
        words = target.config.get(option, "").split(" ")
        for first, last in itertools.combinations(range(len(words) + 1), 2):
            path = Path(" ".join(words[first:last]))
            if path.is_absolute() and path.is_file() and path not in found:
                found.append(path)
    return found


class HostKeys:
    """Establishes trust in an instance's host key, in the documented order, and connects with it."""

    def __init__(
        self,
        cache: KnownHostsCache,
        workdir: Path,
        *,
        console_log: ConsoleLog | None,
        consent: Consent | None,
        accept_new: bool,
    ) -> None:
        """Without `console_log` (the API was not verified) the console is believed nothing."""
        self._cache = cache
        self._workdir = workdir
        self._console_log = console_log
        self._consent = consent
        self._accept_new = accept_new
        self._numbers = itertools.count()
        self._asking = threading.Lock()

    def establish(
        self,
        target: Endpoint,
        connect: Callable[[Sequence[str]], T],
        patiently: Callable[[Callable[[], HostKey]], HostKey],
    ) -> T:
        """Return what `connect` returns, called with the ssh options that pin the host key.

        `patiently` repeats a look at the host that comes too early. Raises HostKeyError.
        """
        entries = user_entries(target)
        if entries.pinned or entries.certified:
            try:
                return connect(STRICT)
            except ChangedHostKeyError as error:
                raise _users_key_changed(target, error) from None
            except UnknownHostKeyError:
                # A host that is pinned by one key and shows one of another type is not unknown: it is another.
                if entries.pinned:
                    raise _users_key_changed(target, None) from None
        cached = self._cache.keys(target.alias)
        if cached:
            try:
                return connect(self._pin(target, cached, entries))
            except (ChangedHostKeyError, UnknownHostKeyError):
                raise self._cached_key_changed(target, cached, entries) from None
        return self._learn(target, entries, connect, patiently)

    def trust_anew(self, target: Endpoint, fingerprints: Sequence[str]) -> None:
        """Keep the keys of the console log in place of the cached ones, if they are these and the host shows one.

        A key that the user's own known_hosts pin is his to change. Raises HostKeyError.
        """
        entries = user_entries(target)
        if entries.pinned:
            raise _users_key_changed(target, None)
        keys, reason = self._console_keys(target)
        shown = self._scan(target, entries)
        if shown not in keys or sorted(map(str, keys)) != sorted(fingerprints):
            raise HostKeyError(
                f"the host key of {target}, {shown}, is not vouched for: "
                f"{reason or 'its console log shows other keys than it did a moment ago'}",
                hint="nothing was changed; verify the fingerprint by hand, or run the same command again",
            )
        self._cache.replace(target.alias, keys)

    def _learn(
        self,
        target: Endpoint,
        entries: UserEntries,
        connect: Callable[[Sequence[str]], T],
        patiently: Callable[[Callable[[], HostKey]], HostKey],
    ) -> T:
        keys, reason = self._console_keys(target)
        if not keys:
            key = patiently(lambda: self._scan(target, entries))
            self._ask(target, key, reason)
            keys = (key,)
        try:
            result = connect(self._pin(target, keys, entries))
        except (ChangedHostKeyError, UnknownHostKeyError):
            raise HostKeyError(
                f"the host key of {target} is not the one on its console log",
                hint="somebody else may answer there; if its keys were made anew since it was built, verify the "
                f"fingerprint and add it to your own known_hosts: ssh {target.user}@{target.address}",
            ) from None
        self._cache.replace(target.alias, keys)
        return result

    def _console_keys(self, target: Endpoint) -> tuple[tuple[HostKey, ...], str]:
        if self._console_log is None:
            return (), "its console log is not believed, since the API's certificate is not verified"
        try:
            found = keys_on_console(self._console_log(target.instance.id))
        except CloudError as error:
            return (), f"its console log could not be read: {error}"
        return found.keys, found.reason or ""

    def _ask(self, target: Endpoint, key: HostKey, reason: str) -> None:
        """Return if the key may be used: --accept-new-host-keys is a consent given beforehand."""
        if self._accept_new:
            return
        unknown = f"the host key of {target} is unknown: it is not in your known_hosts, and {reason}"
        if self._consent is None:
            raise HostKeyError(
                f"{unknown} (it shows {key})",
                hint="verify the fingerprint and add the key to your known_hosts, or use --accept-new-host-keys",
            )
        with self._asking:
            agreed = self._consent(f"{unknown[0].upper()}{unknown[1:]}.\nIt shows {key}. Is this its key?")
        if not agreed:
            raise HostKeyError(
                f"the host key of {target} was not accepted",
                hint="ask its owner for the fingerprint: ssh-keygen -l -f /etc/ssh/ssh_host_*.pub",
            )

    def _scan(self, target: Endpoint, entries: UserEntries) -> HostKey:
        """Ask the host for its key by ssh itself, which goes through bastions as ssh-keyscan cannot."""
        pin = self._pin(target, (), entries, checking="accept-new")
        login = ["-o", "PreferredAuthentications=none", "-o", "HashKnownHosts=no"]
        argv = ["ssh", *pin, *login, "-T", *destination(target.options, target.address), "true"]
        result = run_tool(argv, timeout_s=_SCAN_TIMEOUT_S)
        path = Path(pin[-1].partition("=")[2])
        lines = [line for line in path.read_text().splitlines() if not line.startswith("@")]
        key = parse_key(lines[0].partition(" ")[2]) if lines else None
        if key is None:
            raise classify(result.stderr, target)
        return key

    def _pin(
        self, target: Endpoint, keys: Sequence[HostKey], entries: UserEntries, *, checking: str = "yes"
    ) -> tuple[str, ...]:
        """Return the options that make ssh accept these keys alone, and none that the user has revoked."""
        path = self._workdir / f"known-{next(self._numbers)}"
        lines = [f"@revoked {target.alias} {key}" for key in entries.revoked]
        lines += [key.line(target.alias) for key in keys]
        with open_private(path) as file:
            file.write("".join(f"{line}\n" for line in lines))
        options = [f"StrictHostKeyChecking={checking}", f"HostKeyAlias={target.alias}", "VerifyHostKeyDNS=no"]
        if "knownhostscommand" in target.config:
            options.append("KnownHostsCommand=none")
        options += ["GlobalKnownHostsFile=/dev/null", f"UserKnownHostsFile={path}"]
        return tuple(word for option in options for word in ("-o", option))

    def _cached_key_changed(self, target: Endpoint, cached: Sequence[HostKey], entries: UserEntries) -> HostKeyError:
        """Build the error; an instance that was rebuilt shows a key that its console log has and haos has not."""
        reason = f"the host key of {target} is not the one that haos keeps in {self._cache.path}"
        forget = f"ssh-keygen -R {target.alias} -f {shlex.quote(str(self._cache.path))}"
        hint = f"if you know why it changed, forget the old one: {forget}"
        on_console, _ = self._console_keys(target)
        if not on_console or set(cached) & set(on_console):
            return HostKeyError(reason, hint=hint)
        try:
            shown = self._scan(target, entries)
        except RemoteError:
            return HostKeyError(reason, hint=hint)
        if shown not in on_console:
            return HostKeyError(f"{reason}, nor is {shown} on its console log", hint=hint)
        return RebuiltError(
            f"{reason}: it was rebuilt, and its console log shows {shown}",
            hint=f"haos repair takes the new key over; by hand: {forget}",
            fingerprints=tuple(str(key) for key in on_console),
        )


def _users_key_changed(target: Endpoint, error: ChangedHostKeyError | None) -> HostKeyError:
    name = _names(target)[0]
    place = error.where if error else None
    file = place.rpartition(":")[0] if place else None
    forget = f"ssh-keygen -R {shlex.quote(name)}" + (f" -f {shlex.quote(file)}" if file else "")
    return HostKeyError(
        f"the host key of {target} is not the one in {place or 'your known_hosts'}",
        hint=f"if you know why it changed (an address used again, a rebuild), forget the old one: {forget}",
    )
