"""The guardian's side: `python -m haos.cli.guard`, started by haos alone (haos/adapters/guardian.py).

Says "ready" once it has logged in; ends when it is told "done"; undoes the announced fault when its standard input is
closed, when the announced time has passed, or on SIGTERM. Its log is kept only if that failed.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import FrameType

from haos.adapters.clock import SystemClock
from haos.adapters.cloud import OpenStackCloud
from haos.adapters.connect import connect
from haos.adapters.guardian import DONE, READY
from haos.cli.lab_cloud import lab_config_files
from haos.cli.masking import MaskingFormatter, mask_bugs, secrets_said
from haos.core.intent import Intent, decode
from haos.errors import HaosError
from haos.workflow.guard import undo_if_announced

LOOK_S = 5.0
"""The wall clock is looked at so often: while a laptop sleeps, no timer runs."""
_log = logging.getLogger("haos.guard")
_secrets: set[str] = set()
"""What must not stand in the log."""


class Terminated(Exception):
    """The machine is going down, or somebody wants the guardian to end: the fault must not outlive it."""


@dataclass(frozen=True)
class Order:
    """What haos wants to have watched."""

    openstack: Sequence[str]
    reservation_id: str
    intent: Intent


def main(log: Path | None) -> int:
    """Watch over one fault; the log goes when there is nothing in it that anybody would want to know."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(MaskingFormatter(_secrets, "%(asctime)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    mask_bugs(_secrets)
    with FileIO(0, "rb") as told:
        well = watch(told)
    if well and log is not None:
        log.unlink(missing_ok=True)
    return 0 if well else 1


def watch(told: FileIO) -> bool:
    """Take the order, get ready, wait, act; return False if that failed and haos does not know."""
    line = told.readline()
    if not line:
        return True  # haos ended before it had said what for
    order = order_of(line)
    try:
        cloud = log_in(order.openstack)
    except HaosError as error:
        say(str(error))
        return False
    return is_well(told, order.intent.until_s) or undo(order, cloud)


def order_of(line: bytes) -> Order:
    """Parse what haos orders; what is not an order is a bug, and its traceback goes to the log."""
    told = json.loads(line)
    intent = decode(told["tag"])
    if intent is None:
        raise ValueError(f"{told['tag']!r} announces no fault")
    return Order(told["openstack"], told["reservation_id"], intent)


def log_in(openstack: Sequence[str]) -> OpenStackCloud:
    """Log in as haos itself did, and note every request. Raises HaosError."""

    def note(method: str, url: str, seconds: float) -> None:
        _log.info("%s %s %.3f s", method, url, seconds)

    _secrets.update(secrets_said(openstack))
    files = lab_config_files(openstack, os.environ)
    return connect(openstack, config_files=files, on_request=note, on_secrets=_secrets.update)


def say(word: str) -> None:
    """Tell haos, and it alone: then nobody's pipe is held open."""
    with suppress(OSError):
        os.write(1, f"{word}\n".encode())
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)


def is_well(told: FileIO, until_s: float) -> bool:
    """Get ready and wait for haos's word that all is well; False if SIGTERM comes, from then on without effect."""
    try:
        signal.signal(signal.SIGTERM, terminate)  # before haos, told "ready", makes the fault
        say(READY.decode().strip())
        well = await_word(told, until_s)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except Terminated:
        _log.info("told to end")
        return False
    return well


def terminate(number: int, _: FrameType | None) -> None:
    """Break off the waiting; a second SIGTERM must not break off what comes then."""
    signal.signal(number, signal.SIG_IGN)
    raise Terminated


def await_word(told: FileIO, until_s: float) -> bool:
    """Wait for haos's word that all is well; False if it dies first, or the time passes."""
    while (left_s := until_s - time.time()) > 0:
        if select.select([told], [], [], min(left_s, LOOK_S))[0]:
            return told.readline() == DONE
    return False


def undo(order: Order, cloud: OpenStackCloud) -> bool:
    """Undo what is still announced; return whether there is nothing left to undo."""
    _log.info("haos is gone, or its time is over: undo what %s announces", order.intent.tag)
    try:
        undone = undo_if_announced(order.intent, order.reservation_id, cloud, SystemClock())
    except HaosError as error:
        _log.info("not undone: %s", error)
        return False
    _log.info("undone" if undone else "it was undone already")
    return True


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
