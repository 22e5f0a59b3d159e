"""The process that keeps the switch's ARP table and answers in its stead.

`python -m haos.lab.fabric.responder SECONDS` lays the table's rules in its network namespace, says "ready", and
answers until its standard input ends.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading

from haos.lab.fabric import arp
from haos.lab.fabric.command import SwitchError, execute
from haos.lab.fabric.nflog import Log, Logged


def respond(log: Log) -> None:
    """Keep the table and answer, for ever."""
    macs: dict[arp.Entry, bytes] = {}  # which of them still count is for the rules to say
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        for logged in log:
            frame = arp.parse(logged.payload)
            if frame is not None and logged.prefix == arp.FILLS:
                macs[arp.Entry(logged.mark, frame.sender)] = frame.sender_mac
            elif frame is not None:
                _answer(macs, logged, frame, wire)


def _answer(macs: dict[arp.Entry, bytes], logged: Logged, frame: arp.ArpFrame, wire: socket.socket) -> None:
    entry = arp.Entry(logged.mark, frame.target)
    if entry not in macs:
        # The frame that filled it came too fast: the owner shall answer for itself and be heard this time.
        with contextlib.suppress(SwitchError):  # it may have aged out since
            execute(["nft", "-f", "-"], arp.forgotten(entry))
    elif answer := arp.answer(macs[entry], frame):
        with contextlib.suppress(OSError):  # the asker may be gone
            wire.sendto(answer, (socket.if_indextoname(logged.device), 0))


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main(lasts_s: float) -> int:
    """Lay the rules, say so, and answer."""
    try:
        log = Log(arp.LOG_GROUP)
        execute(["nft", "-f", "-"], arp.ruleset(lasts_s))
    except (OSError, SwitchError) as error:
        print(str(error).partition("\n")[0], flush=True)
        return 1
    print("ready", flush=True)
    threading.Thread(target=_end_with_input, daemon=True).start()
    with log:
        respond(log)
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
