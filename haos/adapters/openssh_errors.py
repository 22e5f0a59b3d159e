"""What ssh said when it failed -> our errors, each with a reason and a remedy."""

from __future__ import annotations

import re
from collections.abc import Callable

from haos.adapters.openssh_client import Endpoint
from haos.errors import HostKeyError, LoginError, RemoteError


class NotReadyError(RemoteError):
    """Refused, unreachable or silent: a moment later it may work."""


class UnknownHostKeyError(HostKeyError):
    """Nothing is known about this host's key."""


class ChangedHostKeyError(HostKeyError):
    """The host shows another key than the one that is known; `where` is ssh's own word for the place."""

    def __init__(self, reason: str, *, where: str | None, hint: str | None = None) -> None:
        super().__init__(reason, hint=hint)
        self.where = where


LOST = re.compile(
    r"mux_client_|Control master terminated|Control socket|Session open refused|"
    r"Connection (?:to \S+ )?(?:closed|reset)|Timeout, server|Broken pipe"
)
# What the outer ssh says when its way through a bastion or proxy ends.
_PROXY = re.compile(r"kex_exchange_identification|UNKNOWN port 65535|stdio forwarding failed|banner exchange")
_FAR_END = re.compile(r"open failed: connect failed: ([^\r\n]+)")
_TRANSIENT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Connection refused"), "connection refused"),
    (re.compile(r"timed out"), "no answer (timeout)"),
    (re.compile(r"No route to host|Network is unreachable|Host is down"), "no route to it"),
    (re.compile(r"connect to host .*: (?:Permission denied|Operation not permitted)"), "this machine forbids it"),
    (re.compile(r"System is (?:booting up|going down)"), "it is still booting, or going down"),
    (re.compile(r"Connection (?:reset|closed) by|kex_exchange_identification"), "sshd closed the connection"),
)
# What ssh says of a key that it could not use; the last one also where an agent asks its user, who does not answer.
KEY_TROUBLE = re.compile(
    r"Permissions \d+ for [^\r\n]+ are too open|Load key [^\r\n]+|[^\r\n]+agent refused operation"
)
_OTHER_USER = re.compile(r"[Pp]lease login as the user [\"']?([\w.-]+)[\"']? rather than")


def printable(text: str, limit: int = 200) -> str:
    """Return the last line that says something, with nothing in it that a terminal would obey."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = "".join(char if char.isprintable() else "?" for char in (lines or [""])[-1])
    return last if len(last) <= limit else last[: limit - 1] + "…"


def classify(stderr: str, target: Endpoint) -> RemoteError:
    """Turn the words of an ssh that did not come through into the error that they mean."""
    rules: tuple[Callable[[str, Endpoint], RemoteError | None], ...] = (
        _bastion,
        _host_key,
        other_user,
        _transient_in_words,
        _login,
        _transient,
    )
    for rule in rules:
        error = rule(stderr, target)
        if error:
            return error
    return RemoteError(
        f"cannot connect to {target}: {printable(stderr) or 'ssh ended without a word'}",
        hint=f"try it by hand: ssh {target.user}@{target.address}",
    )


def other_user(text: str, target: Endpoint) -> RemoteError | None:
    """Recognise the message of cloud images that want another user name."""
    match = _OTHER_USER.search(text)
    if not match:
        return None
    return LoginError(
        f"{target} does not let {target.user} log in, it wants {match[1]}", hint=f"use --ssh-user {match[1]}"
    )


def expired(text: str, target: Endpoint) -> LoginError | None:
    """Recognise a password or an account that has expired: PAM lets nobody work before it is seen to."""
    if re.search(r"account .*expired", text):
        return LoginError(
            f"the account of {target.user} on {target} has expired", hint="use another user: --ssh-user"
        )
    if re.search(r"password has expired|[Pp]assword change required|required to change your password", text):
        return LoginError(
            f"the password of {target.user} on {target} has expired and must be changed first",
            hint=f"change it by hand: ssh {target.user}@{target.address}; or use another user: --ssh-user",
        )
    return None


def _bastion(stderr: str, target: Endpoint) -> RemoteError | None:
    if target.via is None or not _PROXY.search(stderr):
        return None
    beyond = _FAR_END.search(stderr)
    if beyond:
        return NotReadyError(
            f"the bastion {target.via} cannot reach {target}: {printable(beyond[1])}",
            hint="is this the address that the bastion sees (--ssh-address), and does a security group admit TCP 22?",
        )
    causes = [line for line in stderr.splitlines() if line.strip() and not _PROXY.search(line)]
    if not causes:
        return None  # the bastion did its part, the far end hung up
    hint = f"try it by hand: ssh {target.via}; its host key must be known to your own ssh"
    if "administratively prohibited" in stderr:
        hint = "its sshd must allow TCP forwarding (AllowTcpForwarding, PermitOpen)"
    return RemoteError(
        f"the bastion {target.via} did not let us through to {target}: {printable(causes[-1])}", hint=hint
    )


def _host_key(stderr: str, target: Endpoint) -> RemoteError | None:
    where = re.search(r"Offending (?:[\w-]+ )?key (?:for IP )?in (.+?:\d+)", stderr)
    place = where[1] if where else None
    if re.search(r"REVOKED HOST KEY|is marked as revoked|revoked by file", stderr):
        return HostKeyError(
            f"the host key of {target} is marked as revoked",
            hint="do not connect until you know who revoked it and why",
        )
    if "HOST IDENTIFICATION HAS CHANGED" in stderr:
        return ChangedHostKeyError(f"the host key of {target} is not the one that is known", where=place)
    if re.search(r"host key is known for|Host key verification failed", stderr):
        return UnknownHostKeyError(f"the host key of {target} is unknown")
    return None


def _transient_in_words(stderr: str, target: Endpoint) -> RemoteError | None:
    """Recognise a machine that is not up yet: pam_nologin says so while it denies the login."""
    return _transient(stderr, target) if "System is " in stderr else None


def _login(stderr: str, target: Endpoint) -> RemoteError | None:
    if "Too many authentication failures" in stderr:
        return LoginError(
            f"{target} got too many keys from the agent before the right one",
            hint="name the key with --ssh-key, or set IdentityFile and IdentitiesOnly in your ssh configuration",
        )
    if re.search(r"^\S+@\S+: Permission denied", stderr, re.MULTILINE):
        trouble = KEY_TROUBLE.search(stderr)
        why = f" ({printable(trouble[0])})" if trouble else ""
        return LoginError(
            f"{target} refused to let {target.user} log in{why}",
            hint="set the user with --ssh-user and the key with --ssh-key, or load the key into your ssh agent",
        )
    if over := expired(stderr, target):
        return over
    if "not available" in stderr:
        return LoginError(
            f"{target} does not let {target.user} work there: {printable(stderr)}", hint="try --ssh-user"
        )
    if "Unable to negotiate" in stderr:
        return RemoteError(
            f"{target} and your ssh have no algorithm in common: {printable(stderr)}",
            hint="allow one that it offers, for this host alone, in your ssh configuration (KexAlgorithms, …)",
        )
    return None


def _transient(stderr: str, target: Endpoint) -> RemoteError | None:
    for pattern, reason in _TRANSIENT:
        if pattern.search(stderr):
            return NotReadyError(
                f"cannot connect to {target}: {reason}",
                hint="is it up, is this the address to reach it from here (--ssh-address, --ssh-jump), "
                "and does a security group admit TCP 22?",
            )
    return None
