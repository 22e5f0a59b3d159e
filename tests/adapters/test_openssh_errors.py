"""What ssh says -> what haos says; the words are OpenSSH 9.2's own, recorded on Debian 12."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from haos.adapters.openssh_client import Endpoint, SshOptions
from haos.adapters.openssh_errors import ChangedHostKeyError, NotReadyError, UnknownHostKeyError, classify, printable
from haos.errors import HostKeyError, LoginError, RemoteError
from tests.adapters.openssh_server import INSTANCE

DIRECT = Endpoint(INSTANCE, INSTANCE.fixed[0], SshOptions(), {"user": "root"})
BEHIND = replace(DIRECT, config={"user": "root", "proxyjump": "gate"})

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Offending ED25519 key in /home/me/my files/known_hosts:12
Host key for 10.0.0.5 has changed and you have requested strict checking.
Host key verification failed.
"""
HUNG_UP = "kex_exchange_identification: Connection closed by remote host\n"


@pytest.mark.parametrize(
    ("stderr", "kind", "reason", "hint"),
    [
        ("ssh: connect to host 10.0.0.5 port 22: Connection refused", NotReadyError, "connection refused", "TCP 22"),
        ("ssh: connect to host 10.0.0.5 port 22: Connection timed out", NotReadyError, "timeout", "--ssh-address"),
        ("Connection timed out during banner exchange", NotReadyError, "timeout", "--ssh-jump"),
        ("ssh: connect to host 10.0.0.5 port 22: No route to host", NotReadyError, "no route", "--ssh-jump"),
        ("ssh: connect to host 10.0.0.5 port 22: Network is unreachable", NotReadyError, "no route", "--ssh-jump"),
        (f"{HUNG_UP}Connection closed by 10.0.0.5 port 22", NotReadyError, "sshd closed", "is it up"),
        (
            '"System is booting up. Unprivileged users are not permitted to log in yet. See pam_nologin(8)."\n'
            "root@10.0.0.5: Permission denied (publickey).",
            NotReadyError,
            "still booting",
            "is it up",
        ),
        ("root@10.0.0.5: Permission denied (publickey).", LoginError, "let root log in", "--ssh-user"),
        (
            'Load key "/home/me/key": error in libcrypto\nroot@10.0.0.5: Permission denied (publickey).',
            LoginError,
            "error in libcrypto",
            "--ssh-key",
        ),
        (
            "Received disconnect from 10.0.0.5 port 22:2: Too many authentication failures",
            LoginError,
            "too many keys",
            "--ssh-key",
        ),
        (
            "WARNING: Your password has expired.\nPassword change required but no TTY available.",
            LoginError,
            "the password of root on .* has expired",
            "change it by hand: ssh root@127.0.0.1",
        ),
        (
            "Your account has expired; please contact your system administrator.\nConnection closed by 10.0.0.5",
            LoginError,
            "the account of root on .* has expired",
            "--ssh-user",
        ),
        (
            'sign_and_send_pubkey: signing failed for ED25519 "me@home" from agent: agent refused operation\n'
            "root@10.0.0.5: Permission denied (publickey).",
            LoginError,
            "agent refused operation",
            "ssh agent",
        ),
        (
            "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n"
            "Permissions 0644 for '/home/me/key' are too open.\nroot@10.0.0.5: Permission denied (publickey).",
            LoginError,
            r"\(Permissions 0644 for '/home/me/key' are too open\)",
            "--ssh-key",
        ),
        (
            "ssh: connect to host 10.0.0.5 port 22: Permission denied",
            NotReadyError,
            "this machine forbids it",
            "--ssh-address",
        ),
        (CHANGED, ChangedHostKeyError, "not the one that is known", None),
        (
            "No ED25519 host key is known for 10.0.0.5 and you have requested strict checking.\n"
            "Host key verification failed.",
            UnknownHostKeyError,
            "is unknown",
            None,
        ),
        (
            "WARNING: REVOKED HOST KEY DETECTED!\nThe ED25519 host key for x is marked as revoked.",
            HostKeyError,
            "revoked",
            "who revoked it",
        ),
        (
            "Unable to negotiate with 10.0.0.5 port 22: no matching host key type found. Their offer: ssh-dss",
            RemoteError,
            "no matching host key type",
            "KexAlgorithms",
        ),
        ("something\nnew under the sun\n", RemoteError, "new under the sun", "by hand: ssh root@127.0.0.1"),
        ("", RemoteError, "without a word", "by hand"),
    ],
)
def test_direct(stderr: str, kind: type[RemoteError], reason: str, hint: str | None) -> None:
    error = classify(stderr, DIRECT)
    assert type(error) is kind
    assert re.search(reason, error.reason)
    assert "web-a (6a1c2b3d…) at 127.0.0.1" in error.reason
    assert "\n" not in error.reason
    assert hint is None or (error.hint is not None and hint in error.hint)


def test_changed_key_names_the_place() -> None:
    error = classify(CHANGED, DIRECT)
    assert isinstance(error, ChangedHostKeyError)
    assert error.where == "/home/me/my files/known_hosts:12"


@pytest.mark.parametrize(
    ("stderr", "kind", "reason"),
    [
        (f"ssh: connect to host gate port 22: Connection refused\n{HUNG_UP}", RemoteError, "refused"),
        (f"ssh: Could not resolve hostname gate: Name or service not known\n{HUNG_UP}", RemoteError, "resolve"),
        (f"me@gate: Permission denied (publickey).\n{HUNG_UP}", RemoteError, "me@gate: Permission denied"),
        (
            "channel 0: open failed: connect failed: No route to host\nstdio forwarding failed\n" + HUNG_UP,
            NotReadyError,
            "the bastion gate cannot reach web-a (6a1c2b3d…) at 127.0.0.1: No route to host",
        ),
        (
            f"channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed\n{HUNG_UP}",
            RemoteError,
            "administratively prohibited",
        ),
        (HUNG_UP, NotReadyError, "sshd closed the connection"),
        ("root@10.0.0.5: Permission denied (publickey).", LoginError, "refused to let root log in"),
        (CHANGED, ChangedHostKeyError, "not the one that is known"),
    ],
)
def test_behind_a_bastion(stderr: str, kind: type[RemoteError], reason: str) -> None:
    error = classify(stderr, BEHIND)
    assert type(error) is kind
    assert reason in error.reason


def test_nothing_that_a_terminal_would_obey_is_repeated() -> None:
    assert printable("first\n\x1b[2J\x1b]0;title\x07evil\r\n\n") == "?[2J?]0;title?evil"
    assert len(printable("x" * 5000)) == 200
    assert "\x1b" not in classify("\x1b[31mno\x9b", DIRECT).reason
