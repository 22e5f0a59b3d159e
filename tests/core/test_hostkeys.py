"""Console logs are hostile until proven whole."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core.hostkeys import BEGIN, END, HostKey, keys_on_console, parse_key

LOGS = Path(__file__).parents[2] / "fixtures" / "host"
FINGERPRINTS = [
    # as `ssh-keygen -l` printed them: fixtures/host/console-origin.txt
    "ECDSA SHA256:0YcOHU87dK3TgaBijcBpTJVHCdoLj2D9Gk5k97Us61w",
    "ED25519 SHA256:vzbhEajtSdCcbmH0zsY6OkLtNU1podD/pqZRVt2FM/k",
    "RSA SHA256:CHhxibdHXVbsmm09q2HwkvWpP/Xj1kGmTK7aTHzD6ZA",
]


def log(name: str) -> str:
    return (LOGS / f"console-{name}.txt").read_bytes().decode()


def ed25519(secret: int) -> HostKey:
    raw = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + secret.to_bytes(32, "big")
    return HostKey("ssh-ed25519", base64.b64encode(raw).decode())


def test_genuine_block_is_read() -> None:
    found = keys_on_console(log("genuine"))
    assert found.reason is None
    assert [str(key) for key in found.keys] == FINGERPRINTS


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rolled-over", "holds no host keys"),
        ("doubled", "more than one block"),
        ("forged-inside", "more than one block"),
        ("cut-head", "is cut"),
        ("cut-tail", "is cut"),
        ("cut-line", "lines that are no host keys"),
        ("interleaved", "lines that are no host keys"),
        ("interleaved-line", "lines that are no host keys"),
        ("unknown-type", "lines that are no host keys"),
        ("two-of-a-type", "two keys of one type"),
        ("prefixed", "malformed"),
        ("empty-block", "no usable key"),
    ],
)
def test_anything_else_gives_no_trust(name: str, reason: str) -> None:
    found = keys_on_console(log(name))
    assert found.keys == ()
    assert found.reason is not None
    assert reason in found.reason


def test_block_of_outdated_keys_alone_is_no_trust() -> None:
    fields = [b"ssh-dss", b"p", b"q", b"g", b"y"]
    blob = base64.b64encode(b"".join(len(f).to_bytes(4, "big") + f for f in fields)).decode()
    assert keys_on_console(f"{BEGIN}\nssh-dss {blob}\n{END}\n").keys == ()
    key = ed25519(1)
    assert keys_on_console(f"{BEGIN}\nssh-dss {blob}\n{key.line('').strip()} c\n{END}\n").keys == (key,)


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_genuine_log_with_anything_cut_out_never_yields_other_keys(start: int, size: int) -> None:
    whole = log("genuine")
    found = keys_on_console(whole[:start] + whole[start + size :])
    assert {str(key) for key in found.keys} <= set(FINGERPRINTS)


@given(st.lists(st.integers(2, 9), min_size=1, max_size=3), st.integers(0, 40))
def test_no_place_for_a_forged_block_beside_the_genuine_one(secrets: list[int], place: int) -> None:
    lines = log("genuine").splitlines()
    forged = [BEGIN, *(ed25519(secret).line("").strip() for secret in secrets), END]
    lines[min(place, len(lines)) : min(place, len(lines))] = forged
    assert keys_on_console("\n".join(lines)).keys == ()


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    assert keys_on_console(text).keys == ()
    assert keys_on_console(f"{BEGIN}\n{text}\n{END}").keys == ()


@pytest.mark.parametrize(
    "line",
    [
        "ssh-ed25519",
        "ssh-ed25519 !!!",
        f"ssh-rsa {ed25519(1).blob}",
        f"ssh-ed25519 {ed25519(1).blob[:-4]}",
        f"ssh-ed25519 {ed25519(1).blob} two words",
        f" ssh-ed25519 {ed25519(1).blob}",
        f"ssh-ed25519 {ed25519(1).blob} \x1b[31m",
        f"ssh-ed25519-cert-v01@openssh.com {ed25519(1).blob}",
        "ssh-ed25519 " + base64.b64encode(base64.b64decode(ed25519(1).blob) + b"\0").decode(),
    ],
)
def test_parse_key_refuses(line: str) -> None:
    assert parse_key(line) is None


@given(st.integers(0, 2**256 - 1))
def test_key_survives_the_way_through_known_hosts(secret: int) -> None:
    key = ed25519(secret)
    assert parse_key(key.line("host").split(" ", 1)[1]) == key


KEY = ed25519(7)
BLOCK = f"{BEGIN}\n{KEY.line('').strip()} root@web\n{END}\n"
BOOT = "[    0.0] Linux\n[  OK  ] Started cron.\n"
GETTY = "\nDebian GNU/Linux 12 web ttyS0\n\nweb login: "


@pytest.mark.parametrize(
    "text",
    [
        BOOT + BLOCK + GETTY,
        (BOOT + BLOCK + GETTY).replace("\n", "\r\n"),
        BOOT + BLOCK.replace("\n", "\r\r\n") + GETTY,
        BOOT.replace("\n", "\r\n") + BLOCK + GETTY.replace("\n", "\r\n"),
        BOOT + BLOCK.replace("\n", "  \t\n") + GETTY,
        "\x1b[2J\x1b[H\x1b[32m[ OK ]\x1b[0m\n" + BLOCK + "\x1b[0;1;31mfailed\x1b[0m\n",
        "\x00\x07\x0b\x0c\u2028\ufffd\n" + BLOCK,
        GETTY + "\n" + BLOCK + GETTY,
        BLOCK.rstrip("\n"),
        "-----BEGIN SSH HOST KEY FINGERPRINTS-----\n256 SHA256:x\n-----END SSH HOST KEY FINGERPRINTS-----\n" + BLOCK,
    ],
)
def test_one_whole_block_is_read_whatever_is_around_it(text: str) -> None:
    assert keys_on_console(text).keys == (KEY,)


FORGED = BLOCK.replace(KEY.blob, ed25519(8).blob)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        # an /etc/issue, or a message of the day, that holds a block of its own
        (BOOT + BLOCK + "\nWelcome\n" + FORGED + GETTY, "more than one block"),
        (BOOT + FORGED + GETTY + "\n" + BLOCK, "more than one block"),
        # a login name, or an ssh user name that sshd logs
        (BOOT + BLOCK + f"web login: {BEGIN}\nPassword: \n", "more than one block"),
        (BOOT + BLOCK + f"sshd[7]: Invalid user {END} from 10.0.0.9\n", "more than one block"),
        (f"sshd[7]: Invalid user {BEGIN} from 10.0.0.9\n{FORGED}", "more than one block"),
        # a terminal would show these as the lines themselves
        (BOOT + BLOCK.replace(BEGIN, f"junk\r{BEGIN}"), "malformed"),
        (BOOT + BLOCK.replace(BEGIN, f"\x1b[2K{BEGIN}"), "malformed"),
        (BOOT + BLOCK.replace(END, f"{END}\x1b[0m"), "malformed"),
        (BOOT + BLOCK.replace(BEGIN, f"  {BEGIN}"), "malformed"),
        (BOOT + BLOCK.replace(BEGIN, BEGIN.lower()), "malformed"),
        (BOOT + BLOCK.replace("ssh-ed25519", "\x1b[31mssh-ed25519"), "lines that are no host keys"),
        # the kernel, systemd or getty writes into it
        (BOOT + BLOCK.replace(END, f"[   20.1] eth0: link up\n{END}"), "lines that are no host keys"),
        (BOOT + BLOCK.replace(END, f"{GETTY}{END}"), "malformed"),
        (BOOT + BLOCK.replace(END, f"{GETTY}\n{END}"), "lines that are no host keys"),
        (BOOT + BLOCK.replace("root@web", "root@web[  OK  ] Started"), "lines that are no host keys"),
        # keys that sshd never has, or not as a host key
        (BLOCK.replace("ssh-ed25519", "sk-ssh-ed25519@openssh.com"), "lines that are no host keys"),
        (BLOCK.replace("ssh-ed25519", "ssh-rsa"), "lines that are no host keys"),
        (BLOCK.replace("ssh-ed25519 ", "@cert-authority * ssh-ed25519 "), "lines that are no host keys"),
        (BLOCK.replace("ssh-ed25519 ", "command=x ssh-ed25519 "), "lines that are no host keys"),
        # cut or turned round
        (BLOCK.partition("\n")[2], "is cut"),
        (BOOT + BLOCK[: BLOCK.index(END)], "is cut"),
        (f"{END}\n{KEY.line('').strip()}\n{BEGIN}\n", "malformed"),
        (f"{BEGIN}\n{END}\n", "no usable key"),
        ("", "holds no host keys"),
        (GETTY, "holds no host keys"),
    ],
)
def test_hostile_and_unlucky_logs_give_no_trust(text: str, reason: str) -> None:
    for spelled in (text, text.replace("\n", "\r\n")):
        found = keys_on_console(spelled)
        assert found.keys == ()
        assert reason in (found.reason or "")


@pytest.mark.parametrize("filling", ["x" * 79 + "\n", "-", " ", "BEGIN SSH HOST KEY ", "-----BEGIN\n", "A"])
def test_huge_logs_are_read_in_a_moment(filling: str) -> None:
    noise = filling * (2_000_000 // len(filling))
    began_s = time.process_time()
    assert keys_on_console(f"{noise}\n{BLOCK}{noise}").keys in ((KEY,), ())
    assert keys_on_console(f"x\n{BLOCK}").keys == (KEY,)
    assert time.process_time() - began_s < 3
