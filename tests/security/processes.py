"""Who on this machine has a secret in his arguments or in his environment, looked at all the time meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.security.marks import Mark, leaks

PAUSE_S = 0.02
HAOS = (b"-m\0haos\0", b"haos.cli.guard")
"""haos itself, and the guardian: they have the environment that they log in with."""


@dataclass
class Seen:
    """What was seen of all processes, those in the namespaces of instances too."""

    commands: set[bytes] = field(default_factory=set)
    environments: dict[bytes, bytes] = field(default_factory=dict)  # the newest of each command

    def look(self) -> None:
        """Look at every process once."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended
                command = (folder / "cmdline").read_bytes()
                self.commands.add(command)
                self.environments[command] = (folder / "environ").read_bytes()

    def with_secrets(self, marks: Sequence[Mark]) -> dict[str, list[str]]:
        """Return the commands that have a secret among their arguments, or around them, and which."""
        found = {}
        for command in self.commands:
            own = any(word in command for word in HAOS)
            text = _text(command) if own else f"{_text(command)} {_text(self.environments.get(command, b''))}"
            if what := leaks(text, marks):
                found[_text(command)[:200]] = what
        return found


@contextmanager
def watching() -> Iterator[Seen]:
    """Look at all processes until the context ends."""
    seen, over = Seen(), threading.Event()

    def watch() -> None:
        while not over.wait(PAUSE_S):
            seen.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _text(raw: bytes) -> str:
    return raw.replace(b"\0", b" ").decode(errors="replace")
