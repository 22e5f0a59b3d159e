"""Service checks: what may be one, the script each becomes, and how it is found again on a node."""

from __future__ import annotations

import http.server
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core import service
from haos.core.model import ServiceCheck
from haos.errors import UsageError


@pytest.mark.parametrize(
    "spec",
    [
        "tcp:443",
        "tcp:10.0.0.1:443",
        "tcp:[fd00::1]:443",
        "http://127.0.0.1/",
        "https://example.org:8443/health?deep=1",
        "http://[::1]:8080",
        "systemctl is-active -q nginx",
        "pgrep 'a b' || exit 1",
    ],
)
def test_what_can_be_a_check(spec: str) -> None:
    assert service.parse_checks([spec]) == (ServiceCheck(spec),)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("", "cannot be"),
        ("  ", "cannot be"),
        ("two\nlines", "cannot be"),
        ("x" * 1001, "cannot be"),
        ("tcp:", "names no TCP port"),
        ("tcp:0", "names no TCP port"),
        ("tcp:65536", "names no TCP port"),
        ("tcp:$(reboot):80", "names no TCP port"),
        ("http://", "names no host"),
        ("https:///path", "names no host"),
        ("http://a b/", "names no host"),
    ],
)
def test_what_cannot(spec: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        service.parse_checks([spec])


def test_not_too_many() -> None:
    with pytest.raises(UsageError, match="too many"):
        service.parse_checks(["tcp:80"] * (service.MAX_CHECKS + 1))


printable = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=60).filter(str.strip)


@given(st.lists(printable.map(lambda text: f"true {text}"), max_size=5))
def test_what_a_pair_file_keeps_is_what_was_asked_for(specs: list[str]) -> None:
    checks = service.parse_checks(specs)
    text = "\n".join(["# Made by haos", *map(service.header, checks), "vrrp_instance x {"])
    assert service.checks_of(text) == checks


def test_what_is_no_header_of_haoss_is_passed_over() -> None:
    assert service.checks_of("# haos-check: ???\n# haos-check: /w==\n# haos-check: dHdvCmxpbmVz\n") == ()


def outcome(spec: str, tmp_path: Path) -> int:
    [check] = service.parse_checks([spec])
    script = tmp_path / "check"
    script.write_text(service.script(check))
    return subprocess.run(["sh", str(script)], capture_output=True, timeout=20, check=False).returncode


def test_a_command_is_run_by_the_shell(tmp_path: Path) -> None:
    assert outcome("true && [ 'a b' = \"a b\" ]", tmp_path) == 0
    assert outcome("exit 3", tmp_path) == 3


@contextmanager
def answering(status: int) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_http_wants_a_good_answer(tmp_path: Path) -> None:
    with answering(200) as port:
        assert outcome(f"http://127.0.0.1:{port}/it's?a=$(id)", tmp_path) == 0
    with answering(503) as port:
        assert outcome(f"http://127.0.0.1:{port}/", tmp_path) != 0


def test_tcp_wants_a_listener(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert outcome(f"tcp:{port}", tmp_path) == 0
        assert outcome(f"tcp:127.0.0.1:{port}", tmp_path) == 0
    assert outcome(f"tcp:{port}", tmp_path) != 0


def test_detection_covers_a_service_that_begins_to_hang_right_after_a_check() -> None:
    # One interval until the next check, then every one of FALL has to time out.
    assert service.DETECTION_S == 3
