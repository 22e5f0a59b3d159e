"""Requests and answers as lines of JSON on a stream socket, several at a time, and events without a request."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from haos.lab.errors import LabError

Message = dict[str, Any]


class Stream:
    """Whole messages on a stream socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("r", encoding="utf-8")
        self._writing = threading.Lock()

    def send(self, message: Message) -> None:
        """Send a message; raises OSError if the other end is gone."""
        data = json.dumps(message).encode() + b"\n"
        with self._writing:
            self._connection.sendall(data)

    def receive(self) -> Message | None:
        """Wait for a message; None at the end, after which there is nothing more to receive."""
        try:
            line = self._lines.readline()
        except OSError:
            line = ""
        if line.endswith("\n"):
            message: Message = json.loads(line)
            return message
        self._lines.close()
        return None


@dataclass
class _Pending:
    done: threading.Event = field(default_factory=threading.Event)
    answer: Message | None = None


class Client:
    """The asking end. `on_event` and `on_end` are called from a thread of the client's own."""

    def __init__(
        self, connection: socket.socket, on_event: Callable[[Message], None], on_end: Callable[[], None]
    ) -> None:
        self._stream = Stream(connection)
        self._on_event = on_event
        self._on_end = on_end
        self._pending: dict[int, _Pending] = {}
        self._numbers = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, name="lab-rpc", daemon=True).start()

    def call(self, method: str, timeout_s: float, **arguments: Any) -> Any:
        """Ask and wait for the answer; raises LabError with the other end's reason."""
        pending = _Pending()
        with self._lock:
            self._numbers += 1
            number = self._numbers
            self._pending[number] = pending
        try:
            self._stream.send({"id": number, "method": method, "arguments": arguments})
            if not pending.done.wait(timeout_s):
                raise LabError(f"the hypervisor did not answer {method} within {timeout_s:g} s")
        except OSError as error:
            raise LabError(f"the hypervisor could not {method}: it has ended") from error
        finally:
            del self._pending[number]
        answer = pending.answer or {"error": "it has ended"}
        if "error" in answer:
            raise LabError(f"the hypervisor could not {method}: {answer['error']}")
        return answer["result"]

    def _listen(self) -> None:
        while (message := self._stream.receive()) is not None:
            if "event" in message:
                self._on_event(message)
            elif pending := self._pending.get(message["id"]):
                pending.answer = message
                pending.done.set()
        for pending in list(self._pending.values()):
            pending.done.set()
        self._on_end()


def serve(stream: Stream, methods: dict[str, Callable[..., Any]], expected: tuple[type[Exception], ...]) -> None:
    """Answer requests until the other end is gone, each in a thread of its own; `expected` errors are answers."""

    def answer(message: Message) -> None:
        try:
            reply = {"result": methods[message["method"]](**message["arguments"])}
        except expected as error:
            reply = {"error": str(error)}
        with contextlib.suppress(OSError):  # who asked may be gone
            stream.send({"id": message["id"], **reply})

    while (message := stream.receive()) is not None:
        threading.Thread(target=answer, args=(message,), name="lab-answer", daemon=True).start()
