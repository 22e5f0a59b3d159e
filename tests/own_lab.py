"""A lab of a command's own: it goes down with it, however that ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from haos.lab import control

ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def own_lab(name: str, *, fabric: str = "ovs") -> Iterator[None]:
    """Have a lab up; for the main thread. A signal that ends the command takes the lab down first.

    Not only on the way out: whoever is at work in another thread, which is waited for there, ends with the lab.
    """
    is_up, ended_by = False, list[int]()

    def end(number: int, _: FrameType | None) -> None:
        for one in ends:
            signal.signal(one, signal.SIG_IGN)  # a second one must not break off what comes now
        ended_by.append(number)
        if is_up:
            control.down(name)
        raise SystemExit(128 + number)

    ends = [one for one in ENDS if signal.getsignal(one) is not signal.SIG_IGN]  # as nohup has it
    before = {one: signal.signal(one, end) for one in ends}
    try:
        control.up(name, fabric=fabric)
        is_up = True
        yield
    except Exception:
        if ended_by:  # what fails since the lab is gone
            raise SystemExit(128 + ended_by[0]) from None
        raise
    finally:
        for one in ends:
            signal.signal(one, signal.SIG_IGN)
        control.down(name)
        for one, handler in before.items():
            signal.signal(one, handler)
