"""The part of the observer's program that asks the service, against servers on loopback."""

from __future__ import annotations

import collections
import contextlib
import errno
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from haos.adapters.probe_report import ProgramReport
from haos.adapters.remote import dial, service
from haos.adapters.remote.dial import Request
from haos.adapters.remote.service import Client
from haos.adapters.remote.wire import Target
from haos.core.probe import FlowEvent, History

TIMEOUT_S = 10.0
LOOPBACK = "127.0.0.1"
RESET = struct.pack("ii", 1, 0)

Serve = Callable[[socket.socket], None]


class Server:
    """Accepts connections on loopback, one after the other, and does with each what a test wants."""

    def __init__(self, serve: Serve | None, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((LOOPBACK, port))
        self.listener.listen(50)
        self.port = self.listener.getsockname()[1]
        self.accepted: list[socket.socket] = []
        self._serve, self._context = serve, context
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
                self.accepted.append(connection)
                if self._context:
                    connection = self._context.wrap_socket(connection, server_side=True)
                    self.accepted[-1] = connection
                if self._serve:
                    self._serve(connection)
            except OSError as error:
                if error.errno == errno.EINVAL:  # what accept() says once the listener is shut down
                    return

    def close(self) -> None:
        if self.listener.fileno() < 0:
            return
        # A thread that is blocked in accept() would go on holding the port, one in recv() the connection.
        self.listener.shutdown(socket.SHUT_RDWR)
        for connection in self.accepted[-1:] if self._serve else ():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(TIMEOUT_S)
        self.listener.close()
        for connection in self.accepted:
            connection.close()


def says(text: str) -> Serve:
    """Return what a server does that answers each request with this."""

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(text.encode())
        connection.close()

    return serve


class Asking:
    """A client of the service at work, and what it reports."""

    def __init__(self, **words: str) -> None:
        self.lines: collections.deque[str] = collections.deque()
        self.report = ProgramReport(0.01, 0.0)
        self.report.feed("haos-probe 1 icmp-raw", 0.0)
        self.client = Client({"every": "0.02", **words}, Target(LOOPBACK), time.monotonic(), self.lines)

    def close(self) -> None:
        for part in self.client.parts:
            for one in part.under_way.values() if isinstance(part, service.Tries) else part.dials:
                one.close()
            if isinstance(part, service.Flow) and part.held:
                part.held.close()

    def until(self, condition: Callable[[History], bool]) -> History:
        """Do the work of its thread until the history satisfies the condition."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while True:
            self.client.turn()
            while self.lines:
                self.report.feed(self.lines.popleft(), time.monotonic())
            history = self.report.history(None)
            if condition(history):
                return history
            assert time.monotonic() < deadline_s, history


Ask = Callable[..., Asking]
Serving = Callable[..., Server]


@pytest.fixture
def ask() -> Iterator[Ask]:
    everyone: list[Asking] = []

    def begin(**words: str) -> Asking:
        everyone.append(Asking(**words))
        return everyone[-1]

    yield begin
    for asking in everyone:
        asking.close()


@pytest.fixture
def served() -> Iterator[Serving]:
    servers: list[Server] = []

    def start(serve: Serve | None = None, **options: object) -> Server:
        servers.append(Server(serve, **options))  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def some_are_over(history: History) -> bool:
    return sum(one.answered_s is not None or bool(one.failure) for one in history.tries) >= 3


def outcomes(history: History) -> set[str]:
    """Return what became of the tries that are over, "" for an answer."""
    return {one.failure for one in history.tries if one.failure or one.answered_s is not None}


def test_connections_are_answered_at_their_own_interval(ask: Ask, served: Serving) -> None:
    history = ask(service=f"tcp {served().port} - -").until(lambda history: len(history.tries) > 10)
    assert outcomes(history) == {""}
    steps = [after.sent_s - before.sent_s for before, after in zip(history.tries, history.tries[1:], strict=False)]
    assert sorted(steps)[len(steps) // 2] == pytest.approx(0.02, abs=0.003)
    first = history.tries[0]
    assert first.answered_s is not None
    assert first.sent_s <= first.answered_s < first.sent_s + 0.1


def test_a_refusal_is_told_apart_from_silence(ask: Ask) -> None:
    assert outcomes(ask(service=f"tcp {free_port()} - -").until(some_are_over)) == {"refused"}


def test_tries_are_reset_and_leave_nothing_waiting_on_either_side(ask: Ask, served: Serving) -> None:
    server = served()
    history = ask(service=f"tcp {server.port} - -").until(lambda history: len(history.tries) > 5)
    ended = [one for one in history.tries if one.answered_s is not None]
    for connection in server.accepted[: len(ended)]:
        connection.settimeout(TIMEOUT_S)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_one_that_is_silent_ends_at_its_deadline_and_holds_nothing_up(
    ask: Ask, served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "REQUEST_S", 0.3)
    asking = ask(service=f"http {served().port} web /")
    history = asking.until(some_are_over)
    assert outcomes(history) == {"no answer"}
    assert len(history.tries) > 10, "others begin while one is under way"
    (tries,) = asking.client.parts
    assert isinstance(tries, service.Tries)
    assert len(tries.under_way) < 25
    assert len(tries.waiting.callbacks) == len(tries.under_way)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("HTTP/1.1 200 OK\r\n\r\n", ""),
        ("HTTP/1.0 302 Found\r\n\r\n", ""),
        ("HTTP/1.1 404 Not Found\r\n\r\n", "HTTP 404"),
        ("HTTP/1.1 503\r\n\r\n", "HTTP 503"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "the answer is no HTTP"),
        ("", "closed without an answer"),
    ],
)
def test_a_request_is_answered_by_a_status_below_400(ask: Ask, served: Serving, answer: str, outcome: str) -> None:
    asking = ask(service=f"http {served(says(answer)).port} web /")
    assert outcomes(asking.until(some_are_over)) == {outcome}


def test_a_request_names_the_host_of_the_url(ask: Ask, served: Serving) -> None:
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heard.append(connection.recv(4096))
        connection.close()

    ask(service=f"http {served(serve).port} www.example.org:8080 /health?full=1").until(some_are_over)
    head, *fields = heard[0].split(b"\r\n")
    assert head == b"GET /health?full=1 HTTP/1.1"
    assert b"Host: www.example.org:8080" in fields
    assert fields[-2:] == [b"", b""]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    folder: Path = tmp_path_factory.mktemp("tls")
    key, certificate = str(folder / "key"), str(folder / "certificate")
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-subj", "/CN=somebody-else", "-keyout", key, "-out", certificate]
    subprocess.run(["openssl", "req", *kind, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_https_takes_any_certificate_and_sends_the_name(
    ask: Ask, served: Serving, certificate: ssl.SSLContext
) -> None:
    names: list[str | None] = []
    certificate.sni_callback = lambda _, name, __: names.append(name)
    server = served(says("HTTP/1.1 200 OK\r\n\r\n"), context=certificate)
    assert outcomes(ask(service=f"https {server.port} www.example.org:8443 /").until(some_are_over)) == {""}
    assert names[0] == "www.example.org"


def test_https_to_a_service_without_tls_fails_with_the_reason(ask: Ask, served: Serving) -> None:
    server = served(says("HTTP/1.1 400 Bad Request\r\n\r\n"))
    (outcome,) = outcomes(ask(service=f"https {server.port} web /").until(some_are_over))
    assert "wrong version number" in outcome or "record layer failure" in outcome


@pytest.mark.parametrize(
    ("host", "name"), [("web", "web"), ("web:80", "web"), ("[fd51::9]:80", "fd51::9"), ("[fd51::9]", "fd51::9")]
)
def test_the_name_is_the_host_without_its_port(host: str, name: str) -> None:
    assert Request(f"http 80 {host} /").name() == name


def test_where_there_is_no_tls_the_rest_goes_on_and_it_is_said(
    ask: Ask, served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without() -> None:
        raise OSError("the Python on the observer has no TLS")

    monkeypatch.setattr(dial, "tls_context", without)
    asking = ask(service="https 443 web /", flow=str(served().port))
    history = asking.until(lambda history: bool(history.flow))
    assert history.notes == ("the service was not asked: the Python on the observer has no TLS",)
    assert history.flow[0].what == "open"
    assert not history.tries


def told(history: History) -> list[tuple[str, str]]:
    return [(event.what, event.why) for event in history.flow]


def opened(times: int) -> Callable[[History], bool]:
    return lambda history: [event.what for event in history.flow].count("open") == times


def test_a_held_connection_that_is_closed_is_opened_again_at_once(ask: Ask, served: Serving) -> None:
    server = served()
    asking = ask(flow=str(server.port))
    asking.until(opened(1))
    asking.until(lambda _: bool(server.accepted))
    server.accepted[0].close()
    history = asking.until(opened(2))
    assert told(history) == [("open", ""), ("broken", "closed by the service"), ("open", "")]
    _, broken, again = history.flow
    assert again.at_s - broken.at_s < 0.2
    assert broken.heard_s is not None


def test_a_held_connection_that_is_reset_says_so_and_waits_for_the_service(ask: Ask, served: Serving) -> None:
    server = served()
    asking = ask(flow=str(server.port))
    asking.until(opened(1))
    asking.until(lambda _: bool(server.accepted))
    server.accepted[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    server.close()
    history = asking.until(lambda history: len(history.flow) == 2)
    assert told(history) == [("open", ""), ("broken", "reset")]
    back = served(port=server.port)
    again_s = time.monotonic()
    history = asking.until(opened(2))
    assert history.flow[2].at_s - again_s < 0.3
    assert back.port == server.port


def test_a_service_that_is_not_there_at_the_start_is_said_once(ask: Ask) -> None:
    asking = ask(flow=str(free_port()))
    asking.until(lambda history: bool(history.flow))
    deadline_s = time.monotonic() + 0.3
    history = asking.until(lambda _: time.monotonic() > deadline_s)
    (event,) = history.flow
    assert event == FlowEvent(event.at_s, "broken", "refused", None)


def test_what_the_service_says_unasked_is_taken_and_the_connection_kept_alive(ask: Ask, served: Serving) -> None:
    server = served(lambda connection: connection.sendall(b"220 welcome\r\n" * 1000))
    asking = ask(flow=str(server.port))
    asking.until(opened(1))
    deadline_s = time.monotonic() + 1.2
    history = asking.until(lambda _: time.monotonic() > deadline_s)
    assert told(history) == [("open", "")], "acknowledged all the time"
    (flow,) = asking.client.parts
    assert isinstance(flow, service.Flow)
    assert flow.held is not None
    assert flow.held.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_what_goes_wrong_in_its_thread_is_reported(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    asking = ask(flow=str(free_port()))
    monkeypatch.setattr(service.Flow, "tick", lambda _: 1 / 0)
    asking.client.work()
    assert asking.lines[-1] == "w the service was asked no longer: ZeroDivisionError division by zero"
