"""Starting and ending the process that keeps the switch's ARP table."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from types import TracebackType

from haos.lab.fabric.command import SwitchError
from haos.lab.namespaces import environment, python

END_S = 5.0


class ArpCache:
    """The ARP table of a switch, kept by a process of its own.

    `enter` are the words before a command that lead into the switch's network namespace.
    """

    def __init__(self, lasts_s: float, enter: Sequence[str] = ()) -> None:
        argv = [*enter, *python("haos.lab.fabric.responder", str(lasts_s))]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        assert self._process.stdout is not None
        said = self._process.stdout.readline().decode().strip()
        if said != "ready":
            self.close()
            raise SwitchError(f"no ARP table: {said or 'its process has ended'}")

    def __enter__(self) -> ArpCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; the rules stay, and go with the network namespace."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(END_S)
