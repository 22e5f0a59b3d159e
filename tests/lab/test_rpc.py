"""Orders and answers between the daemon and the hypervisor."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from haos.lab.errors import LabError
from haos.lab.rpc import Client, Message, Stream, serve

TIMEOUT_S = 5.0


class Pair:
    """A client, and a server whose method `wait` answers only when `go` is set."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.go, self.ended = threading.Event(), threading.Event()
        self.events: list[Message] = []
        self.stream = Stream(self.theirs)
        methods = {"double": self.double, "wait": lambda: self.go.wait(TIMEOUT_S)}
        self.server = threading.Thread(target=serve, args=(self.stream, methods, (LookupError,)))
        self.server.start()
        self.client = Client(self.ours, self.events.append, self.ended.set)

    def double(self, number: int) -> int:
        """Say so with an event, then answer."""
        self.stream.send({"event": "doubling", "number": number})
        if number < 0:
            raise LookupError("no negative numbers")
        return 2 * number

    def hang_up(self) -> None:
        """End the server's end."""
        self.theirs.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both ends."""
    made = Pair()
    yield made
    made.go.set()
    made.hang_up()
    made.server.join(TIMEOUT_S)
    assert made.ended.wait(TIMEOUT_S)
    for end in (made.ours, made.theirs):
        end.close()


def test_answer_comes_after_the_events_before_it(pair: Pair) -> None:
    assert pair.client.call("double", TIMEOUT_S, number=21) == 42
    assert pair.events == [{"event": "doubling", "number": 21}]


def test_slow_order_holds_up_no_other(pair: Pair) -> None:
    slow = threading.Thread(target=pair.client.call, args=("wait", TIMEOUT_S))
    slow.start()
    assert pair.client.call("double", TIMEOUT_S, number=1) == 2
    pair.go.set()
    slow.join(TIMEOUT_S)


def test_reason_of_a_failure_comes_back(pair: Pair) -> None:
    with pytest.raises(LabError, match="could not double: no negative numbers"):
        pair.client.call("double", TIMEOUT_S, number=-1)


def test_order_without_an_answer_ends_at_its_deadline(pair: Pair) -> None:
    with pytest.raises(LabError, match=r"did not answer wait within 0\.05 s"):
        pair.client.call("wait", 0.05)


def test_end_of_the_other_side_is_noticed(pair: Pair) -> None:
    pair.hang_up()
    assert pair.ended.wait(TIMEOUT_S)
    with pytest.raises(LabError, match="it has ended"):
        pair.client.call("double", 1.0, number=1)
