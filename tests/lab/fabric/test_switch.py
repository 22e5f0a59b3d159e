"""When the switch does what it is told, with commands that go nowhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from haos.lab.fabric import Switch, SwitchError
from haos.lab.model import Fabric, FabricKind
from tests.lab.fabric.ports import port


class Recorder:
    """Stands in for the machine; `broken` commands fail, and nft waits for `gate`."""

    def __init__(self) -> None:
        self.rulesets: list[tuple[float, str]] = []
        self.broken: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, argv: Sequence[str], text: str = "") -> str:
        if argv[0] in self.broken:
            raise SwitchError(f"{argv[0]} is broken")
        if argv[0] == "nft":
            assert self.gate.wait(10)
            self.rulesets.append((time.monotonic(), text))
        return ""


def fabric(*numbers: int) -> Fabric:
    return Fabric(FabricKind.OVS, tuple(port(number) for number in numbers))


def test_a_fabric_is_effective_after_the_delay_and_not_before() -> None:
    machine = Recorder()
    with Switch(0.1, machine) as switch:
        ordered_s = time.monotonic()
        switch.apply(fabric(1))
        switch.flush()
    (effective_s, text), *more = machine.rulesets
    assert not more
    assert effective_s - ordered_s >= 0.1
    assert "tap00000001-00" in text


def test_fabrics_are_carried_out_in_their_order_and_the_last_one_stays() -> None:
    machine = Recorder()
    with Switch(0.02, machine) as switch:
        for number in range(1, 6):
            switch.apply(fabric(number))
        switch.flush()
    seen = [text for _, text in machine.rulesets]
    assert "tap00000005-00" in seen[-1]
    numbers = [next(number for number in range(1, 6) if f"tap{number:08x}-00" in text) for text in seen]
    assert numbers == sorted(numbers)


def test_orders_that_are_due_together_cost_one_change() -> None:
    machine = Recorder()
    machine.gate.clear()
    with Switch(0.0, machine) as switch:
        for number in range(1, 50):
            switch.apply(fabric(number))
        machine.gate.set()
        switch.flush()
    assert len(machine.rulesets) < 10


def test_what_went_wrong_is_said_once_and_the_next_fabric_is_carried_out() -> None:
    machine = Recorder()
    with Switch(0.0, machine) as switch:
        machine.broken = {"nft"}
        switch.apply(fabric(1))
        with pytest.raises(SwitchError, match="nft is broken"):
            switch.flush()
        machine.broken = set()
        switch.apply(fabric(2))
        switch.flush()
    assert len(machine.rulesets) == 1


def test_flush_has_a_deadline() -> None:
    with Switch(60.0, Recorder()) as switch:
        switch.apply(fabric(1))
        with pytest.raises(SwitchError, match=r"not settled within 0\.05 s"):
            switch.flush(0.05)


def test_close_drops_what_waits_and_ends_the_thread() -> None:
    machine = Recorder()
    before = threading.active_count()
    switch = Switch(60.0, machine)
    switch.apply(fabric(1))
    switch.close()
    assert threading.active_count() == before
    assert not machine.rulesets


def test_dropping_frames_waits_for_no_delay_and_is_said_once() -> None:
    machine = Recorder()
    with Switch(60.0, machine) as switch:
        for _ in range(2):
            switch.drop_all("tapx")
        for _ in range(2):
            switch.restore("tapx")
    last_lines = [text.splitlines()[-1] for _, text in machine.rulesets]
    assert last_lines == [f'{verb} element bridge haos dark {{ "tapx" }}' for verb in ("add", "delete")]


def test_a_fabric_leaves_dark_what_is_dark() -> None:
    machine = Recorder()
    with Switch(0.0, machine) as switch:
        switch.drop_all("tapx")
        switch.apply(fabric(1))
        switch.flush()
        switch.restore("tapx")
        switch.apply(fabric(1))
        switch.flush()
    assert ['elements = { "tapx" }' in text for _, text in machine.rulesets] == [False, True, False, False]
