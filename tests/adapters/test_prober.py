"""The observer's adapter against programs that report what a test wants, and its readers line by line."""

from __future__ import annotations

import ast
import ipaddress
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import pytest

from haos.adapters import probe_run, prober
from haos.adapters.probe_ping import PingReport
from haos.adapters.probe_report import ProgramReport
from haos.adapters.probe_run import RemoteProbe
from haos.adapters.prober import RemoteObserver, Result
from haos.core.probe import Ask, Echo, FlowEvent, History, Service, Try
from haos.errors import RemoteError

VIP = ipaddress.ip_address("10.200.51.9")
MAC = "fa:16:3e:00:00:01"

MINIMAL = {
    "array", "collections", "collections.abc", "errno", "gc", "os", "select", "signal", "socket", "struct", "sys",
    "threading", "time", "typing",
}  # fmt: skip
"""What Debian 12's python3-minimal has of the standard library, as far as the prober may want it."""


def test_the_program_needs_no_more_than_a_minimal_python_3_6() -> None:
    streamed: set[str] = set()
    for module, file in prober._MODULES.items():
        tree = ast.parse(resources.files("haos.adapters.remote").joinpath(file).read_text(), feature_version=(3, 6))
        assert set(imports(tree)) <= MINIMAL | streamed | ({"ssl"} if file == "dial.py" else set())
        at_once = {name for node in tree.body if not isinstance(node, ast.FunctionDef) for name in imports(node)}
        assert "ssl" not in at_once, "a minimal Python has none"
        streamed.add(module)


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def fed(*lines: str, began_s: float = 0.0, heard_s: float = 0.0) -> ProgramReport:
    report = ProgramReport(0.01, began_s)
    for line in ("Welcome to Debian!", "haos-probe 1 icmp-raw+arp", *lines):
        report.feed(line, heard_s)
    return report


def test_a_report_becomes_a_history() -> None:
    report = fed(
        "s 1 100.000000", f"a 1 100.000400 {MAC}", "k 1 100.000500", "s 2 100.010000", f"b 1 {MAC}", f"b 1 {MAC}",
        "b 1 fa:16:3e:00:00:02", "s 3 100.020000", "a 3 100.020300 -", "n 100.025000",
    )  # fmt: skip
    assert report.started
    assert report.history(None) == History(
        0.01,
        (Echo(100.0, 100.0004, MAC), Echo(100.01), Echo(100.02, 100.0203)),
        (Ask(100.0005, (MAC, "fa:16:3e:00:00:02")),),
        now_s=100.025,
        method="icmp-raw+arp",
    )


def test_an_echo_that_did_not_leave_is_no_echo_and_the_first_answer_counts() -> None:
    report = fed("s 1 1.0", "x 1", "s 2 1.1", f"a 2 1.2 {MAC}", "a 2 1.3 fa:16:3e:00:00:02", "n 2.0")
    assert report.history(None).echoes == (Echo(1.1, 1.2, MAC),)


def test_what_the_service_said_and_what_became_of_the_flow_are_in_the_history() -> None:
    report = fed(
        "t 1 100.0", "t 2 100.05", "u 1 100.001", "v 2 HTTP 503", "t 3 100.1", "f 100.0 open - ",
        "f 102.5 broken 101.9 closed by the service", "w the service was not asked: no TLS",
    )  # fmt: skip
    history = report.history(None)
    assert history.tries == (Try(100.0, 100.001), Try(100.05, failure="HTTP 503"), Try(100.1))
    assert history.flow == (
        FlowEvent(100.0, "open"), FlowEvent(102.5, "broken", "closed by the service", 101.9),
    )  # fmt: skip
    assert history.notes == ("the service was not asked: no TLS",)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (Service(), []),
        (Service("tcp:443"), ["service=tcp 443 - -", "every=0.05"]),
        (Service("https://www.example.org:8443/a?b", 22),
         ["service=https 8443 www.example.org:8443 /a?b", "every=0.2", "flow=22"]),
    ],
)  # fmt: skip
def test_the_program_is_told_what_to_ask(service: Service, words: list[str]) -> None:
    assert prober.arguments(VIP, 0.01, 60.0, service)[6:] == words


def test_the_service_is_asked_no_more_often_than_the_vip() -> None:
    assert "every=0.5" in prober.arguments(VIP, 0.5, 60.0, Service("http://web/"))


def test_half_a_line_of_a_broken_connection_is_passed_over() -> None:
    report = fed(
        "s 1 1.0", "a 1", "a 9 1.0 -", "s x y", "", "b 3 x", "m 5 1.0", "n", "u 7 1.0", "v", "t 1", "f 1.0 o"
    )
    assert report.history("gone").echoes == (Echo(1.0),)


def test_a_marks_error_is_what_the_round_trips_leave_open() -> None:
    """The observer's clock is 1000 s ahead; a sync shows it within 1 ms, and the mark is heard 40 ms late."""
    report = fed("s 1 1005.0", "n 1005.0", began_s=4.0, heard_s=5.0)
    report.sync(1, 5.0)
    report.feed("y 1 1005.0005", 5.001)
    report.mark(2, "stop", 6.0)
    report.feed("m 2 1006.04", 6.09)
    (mark,) = report.history(None).marks
    assert mark.label == "stop"
    assert mark.at_s == 1006.04
    assert mark.error_s == pytest.approx(0.0405, abs=0.001)


def test_any_time_here_is_a_time_there_the_more_exactly_the_nearer_a_round_trip_was() -> None:
    report = fed("s 1 1005.0", "n 1005.0", began_s=4.0, heard_s=5.0)
    coarse = report.when(5.0)
    assert (coarse.earliest_s, coarse.latest_s) == (1005.0, 1006.0)
    report.sync(1, 6.0)
    report.feed("y 1 1006.0005", 6.001)
    fine = report.when(6.001)
    assert fine.at_s == pytest.approx(1006.001)
    assert fine.error_s == pytest.approx(0.0005)
    later = report.when(106.001)
    assert later.at_s == pytest.approx(1106.001)
    assert later.error_s == pytest.approx(0.0505)  # clocks may drift apart


def test_an_unusable_prober_says_why() -> None:
    report = ProgramReport(0.01, 0.0)
    report.feed("haos-probe failed [Errno 13] Permission denied", 0.0)
    assert report.failure == "[Errno 13] Permission denied"
    assert not report.started


PING = """\
PING 10.200.51.9 (10.200.51.9) 56(84) bytes of data.
[1764000000.001000] 64 bytes from 10.200.51.9: icmp_seq=1 ttl=64 time=1.000 ms
[1764000000.211000] 64 bytes from 10.200.51.9: icmp_seq=2 ttl=64 time=0.500 ms
[1764000000.610000] no answer yet for icmp_seq=3
[1764000000.810000] no answer yet for icmp_seq=4
[1764000000.810500] 64 bytes from 10.200.51.9: icmp_seq=5 ttl=64 time=0.500 ms
"""


def test_pings_lines_become_a_history_with_its_losses() -> None:
    report = PingReport(0.2, (10.0, 1764000000.0, 10.02))
    for line in PING.splitlines():
        report.feed(line, 0.0)
    report.mark(1, "stop", 10.5)
    history = report.history(None)
    zero = 1764000000.0
    assert [round(echo.sent_s - zero, 4) for echo in history.echoes] == [0.0, 0.2105, 0.41, 0.61, 0.81]
    assert [echo.answered_s is not None for echo in history.echoes] == [True, True, False, False, True]
    assert history.method == "ping"
    assert history.now_s == zero + 0.8105
    (mark,) = history.marks
    assert mark.at_s == pytest.approx(zero + 0.5)
    assert mark.error_s == pytest.approx(0.02, abs=0.001)
    assert report.when(10.5).latest_s == mark.at_s
    report.feed("ping-exit 2", 0.0)
    assert report.end == "ping ended with 2"


PROGRAM = f"""
import sys, time
for _ in range({len(prober._MODULES) + 1}):  # its arguments go before its modules
    sys.stdin.buffer.read(int(sys.stdin.buffer.readline()))
def say(*lines):
    print("\\n".join(lines), flush=True)
"""
STEADY = """
say("haos-probe 1 icmp-dgram", "s 1 100.0", "a 1 100.001 -", "n 100.002")
for line in sys.stdin:
    word, *rest = line.split()
    if word == "mark":
        say("m %s 200.5" % rest[0])
    elif word == "stop":
        say("s 2 300.0", "n 300.0", "z asked")
        break
"""


class Scripted:
    """A `Door` whose program is a script of the test's."""

    def __init__(self, script: str, *, python: bool = True, ping: str = "exit 1", root: bool = True) -> None:
        self.script = script
        self.python = python
        self.ping = ping
        self.root = root
        self.asked: list[str] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.sudo: list[bool] = []

    def run(self, script: str, *, timeout_s: float, sudo: bool = False, what: str) -> Result:
        self.asked.append(script)
        if "python3" in script:
            said = (
                "Welcome!\n"
                + (f"python {sys.executable}\n" if self.python else "")
                + ("ping 0.2\n" if self.ping else "")
            )
        elif "neigh" in script:
            said = f"{VIP} dev ens3 lladdr {MAC.upper()} REACHABLE\n"
        else:
            assert script.startswith("date")
            said = "1764000000.5\n"
        return subprocess.CompletedProcess([], 0, said, "")

    def spawn(self, argv: Sequence[str], *, sudo: bool = False) -> subprocess.Popen[bytes]:
        self.sudo.append(sudo)
        if argv[0] == "sh":
            command = ["sh", "-c", self.ping]
        else:
            command = [sys.executable, "-c", PROGRAM + textwrap.dedent(self.script)]
        pipe = subprocess.PIPE
        self.processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe))
        return self.processes[-1]

    def can_sudo(self) -> bool:
        return self.root


@pytest.fixture
def probe() -> Iterator[RemoteProbe]:
    probe = start(STEADY)
    yield probe
    probe.stop()


def start(script: str) -> RemoteProbe:
    return RemoteObserver(Scripted(script)).start_probe(VIP, interval_s=0.01)


def test_a_run_from_start_to_stop(probe: RemoteProbe) -> None:
    assert probe.history().echoes == (Echo(100.0, 100.001),)
    probe.mark("withdraw")
    assert probe.wait(lambda history: bool(history.marks), 5.0)
    assert probe.history().mark("withdraw").at_s == 200.5
    whole = probe.stop()
    assert whole.lost is None
    assert whole.method == "icmp-dgram"
    assert whole.echoes[-1] == Echo(300.0)
    assert probe.stop() == whole


def test_waiting_ends_at_its_deadline(probe: RemoteProbe) -> None:
    began_s = time.monotonic()
    assert not probe.wait(lambda history: len(history.echoes) > 5, 0.2)
    assert 0.2 <= time.monotonic() - began_s < 2.0


def test_waiting_wakes_on_what_is_reported(probe: RemoteProbe) -> None:
    seen: list[int] = []

    def condition(history: History) -> bool:
        seen.append(len(history.marks))
        if seen == [0]:
            probe.mark("now")
        return bool(history.marks)

    assert probe.wait(condition, 60.0)
    assert len(seen) < 5


GREETING = 'say("haos-probe 1 icmp-raw+arp", "s 1 1.0", "n 1.0")\n'


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ('sys.stderr.write("noise\\nclient_loop: send disconnect: Broken pipe\\n"); sys.exit(255)',
         "the connection to the observer broke: client_loop: send disconnect: Broken pipe"),
        ("sys.exit(0)", "the connection to the observer broke"),
        ('say("z limit")', "the probe reached its time limit"),
        ('say("z silence")', "the probe ended: silence"),
    ],
)  # fmt: skip
def test_a_run_that_broke_off_is_lost_with_the_reason(end: str, reason: str) -> None:
    probe = start(GREETING + end)
    try:
        began_s = time.monotonic()
        assert not probe.wait(lambda history: False, 30.0)
        assert time.monotonic() - began_s < 10.0
        probe.mark("nobody hears it")
        assert probe.history().lost == reason
        assert probe.history().echoes == (Echo(1.0),)
    finally:
        assert probe.stop().lost == reason


def test_an_observer_that_falls_silent_is_lost_and_stopping_it_takes_no_longer_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe_run, "SILENT_S", 0.3)
    monkeypatch.setattr(probe_run, "STOP_TIMEOUT_S", 0.3)
    probe = start(GREETING + "sys.stdin.read(); time.sleep(60)")
    assert not probe.wait(lambda history: False, 30.0)
    assert (probe.history().lost or "").startswith("no report for")
    began_s = time.monotonic()
    assert probe.stop().lost is not None
    assert time.monotonic() - began_s < 5.0


def test_without_a_right_to_icmp_it_falls_back_to_ping() -> None:
    door = Scripted(
        'say("haos-probe failed no right")', ping=f"cat <<END\n{PING}END\ncat >/dev/null; echo ping-exit 143"
    )
    probe = RemoteObserver(door).start_probe(VIP, interval_s=0.01)
    assert probe.wait(lambda history: len(history.echoes) == 5, 5.0)
    whole = probe.stop()
    assert whole.method == "ping"
    assert whole.lost is None
    assert whole.notes == ()


def test_what_ping_cannot_do_is_said() -> None:
    door = Scripted("", python=False, ping=f"cat <<END\n{PING}END\ncat >/dev/null; echo ping-exit 143")
    probe = RemoteObserver(door).start_probe(VIP, interval_s=0.01, service=Service("tcp:443", 443))
    (note,) = probe.stop().notes
    assert note.startswith("the service was not asked")


def test_without_python_it_falls_back_to_ping_and_says_so_if_that_fails_too() -> None:
    door = Scripted("", python=False, ping="")
    with pytest.raises(RemoteError, match="has no Python") as caught:
        RemoteObserver(door).start_probe(VIP, interval_s=0.01)
    assert caught.value.hint
    assert not door.processes


@pytest.mark.parametrize(
    ("door", "can"),
    [
        (Scripted(STEADY), {"root", "python", "ping"}),
        (Scripted(STEADY, root=False, ping=""), {"python"}),
        (Scripted(STEADY, python=False), {"root", "ping"}),
        (Scripted(STEADY, root=False, python=False, ping=""), set()),
    ],
)
def test_what_it_can_is_asked_once(door: Scripted, can: set[str]) -> None:
    observer = RemoteObserver(door)
    assert observer.abilities() == can
    if "python" in can:
        observer.start_probe(VIP, interval_s=0.01).stop()
    assert observer.abilities() == can
    assert len(door.asked) == 1


def which(folder: Path, *names: str) -> dict[str, str]:
    """Return an environment whose PATH has only these programs."""
    for name in names:
        (folder / name).symlink_to(shutil.which(name) or "/nonexistent")
    return {"PATH": str(folder)}


@pytest.mark.parametrize(("code", "found"), [("exit 0", "0.01"), ('case "$*" in *0.01*) exit 2 ;; esac', "0.2")])
def test_ping_is_tried_at_the_interval_that_is_wanted_then_at_a_slower_one(
    tmp_path: Path, code: str, found: str
) -> None:
    (tmp_path / "ping").write_text(f"#!/bin/sh\n{code}\n")
    (tmp_path / "ping").chmod(0o755)
    assert means(which(tmp_path, "sh")) == f"ping {found}\n"


def test_a_python_is_found_if_it_may_send_icmp(tmp_path: Path) -> None:
    environ = which(tmp_path, "sh")
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    may = subprocess.run([sys.executable, "-c", prober._RIGHT], capture_output=True, check=False).returncode == 0
    assert means(environ) == ("python python3\n" if may else "")
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "raise OSError"\n')
    assert means(environ) == ""


def means(environ: dict[str, str]) -> str:
    script = prober._FIND_MEANS.replace("/usr/libexec/platform-python", "no-such-python")
    return subprocess.run(["/bin/sh"], input=script, capture_output=True, text=True, check=True, env=environ).stdout


def test_no_process_is_left_by_a_start_that_failed() -> None:
    door = Scripted('say("haos-probe failed no right")', ping="echo ping: unknown host; echo ping-exit 2")
    with pytest.raises(RemoteError, match="its ping failed: the probe ended: ping ended with 2"):
        RemoteObserver(door).start_probe(VIP, interval_s=0.01)
    assert [process.poll() is not None for process in door.processes] == [True, True]


def test_the_neighbour_is_what_the_observers_own_table_says() -> None:
    door = Scripted("")
    assert RemoteObserver(door).neighbour(VIP) == MAC
    assert door.asked == [f"ip neigh show to {VIP}"]


def test_an_address_that_is_being_resolved_has_no_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Scripted("")
    incomplete: Result = subprocess.CompletedProcess([], 0, f"{VIP} dev ens3 INCOMPLETE\n", "")
    monkeypatch.setattr(door, "run", lambda script, **_: incomplete)
    assert RemoteObserver(door).neighbour(VIP) is None


def test_marks_of_one_label_are_told_apart() -> None:
    report = fed("s 1 1.0", "n 1.0")
    for number, at_s in ((1, 11.0), (2, 12.0)):
        report.mark(number, "failback", at_s)
        report.feed(f"m {number} {at_s}", at_s)
    assert report.history(None).mark("failback").at_s == 12.0
