"""`haos create`, `check` and `teardown`: options arrive, contradictions are usage errors, questions are asked."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from haos.cli import create_options
from haos.cli.create_options import request_of
from haos.core import vrrp
from haos.core.checks import blocker, warning
from haos.core.model import Pool, ServiceCheck
from haos.core.probe import Service
from haos.workflow.check import CheckReport
from haos.workflow.request import CreateRequest, ModeChoice
from tests.cli.conftest import Haos
from tests.fakes import SUBNET, World

HOWTO = ("--network", "ha_lab", "--nodes", "ha_first,ha_second")
CREATE = ("create", *HOWTO)


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch, haos: Haos) -> Callable[..., CreateRequest]:
    """Return the request that a command line makes."""

    def of(*argv: str) -> CreateRequest:
        caught: list[CreateRequest] = []

        def keep(options: Any) -> CreateRequest:
            caught.append(request_of(options))
            return caught[0]

        monkeypatch.setattr("haos.cli.create.request_of", keep)
        ended = haos(*CREATE, "--dry-run", "-q", *argv)
        assert "Usage" not in ended.err, ended.err
        return caught[0]

    return of


BARE = CreateRequest("ha_lab", ("ha_first", "ha_second"))


@pytest.mark.parametrize(
    ("argv", "changes"),
    [
        ((), {}),
        (("--name", "web"), {"name": "web"}),
        (("--subnet", "s"), {"subnet": "s"}),
        (("--observer", "o"), {"observer": "o"}),
        (("--vip", "10.200.51.9"), {"vip": ip_address("10.200.51.9")}),
        (("--vip", "FD00::2"), {"vip": ip_address("fd00::2")}),
        (("--vip-from-pool",), {"vip_from_pool": True}),
        (("--mode", "auto"), {"mode": ModeChoice.AUTO}),
        (("--mode", "vmac"), {"mode": ModeChoice.VMAC}),
        (("--profile", "fast"), {"advertisement_interval_s": 0.1}),
        (("--advert-interval", "0.25"), {"advertisement_interval_s": 0.25}),
        (("--priorities", "200,100"), {"priorities": (200, 100)}),
        (("--preempt",), {"preempt": True}),
        (("--nopreempt",), {"preempt": False}),
        (("--preempt-delay", "0"), {"preempt_delay_s": 0}),
        (("--bfd",), {"bfd": True}),
        (("--no-bfd",), {"bfd": False}),
        (
            ("--check", "tcp:443", "--check", "systemctl is-active nginx"),
            {"checks": (ServiceCheck("tcp:443"), ServiceCheck("systemctl is-active nginx"))},
        ),
        (("--no-check",), {"checks": ()}),
        (("--no-observer",), {"watched": False}),
        (("--no-verify",), {"verify": False}),
        (("--probe", "https://web/health"), {"service": Service("https://web/health")}),
        (("--verify-failover",), {"verify_failover": True}),
        (("--keep-on-failure",), {"keep_on_failure": True}),
    ],
)
def test_every_option_arrives(
    requested: Callable[..., CreateRequest], argv: tuple[str, ...], changes: dict[str, Any]
) -> None:
    assert requested(*argv) == replace(BARE, **changes)


def test_what_the_help_offers_is_what_there_is() -> None:
    assert set(create_options.MODES) == {str(mode) for mode in ModeChoice}
    assert create_options.PROFILES == vrrp.PROFILES


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("--check", "tcp:1", "--no-check"), "--check and --no-check contradict each other"),
        (("--profile", "fast", "--advert-interval", "1"), "--profile and --advert-interval contradict each other"),
        (("--no-verify", "--verify-failover"), "--no-verify and --verify-failover contradict each other"),
        (("--no-verify", "--probe", "tcp:80"), "--no-verify and --probe contradict each other"),
        (("--no-observer", "--probe", "tcp:80"), "--no-observer and --probe contradict each other"),
        (("--probe", "ftp://web/"), "--probe 'ftp://web/' is neither a TCP port nor a URL"),
        (("--observer", "o", "--no-observer"), "--observer and --no-observer contradict each other"),
        (("--nopreempt", "--preempt-delay", "5"), "--nopreempt and --preempt-delay contradict each other"),
        (("--priorities", "high,low"), "'high,low' is not a list of numbers such as 240,230"),
        (("--priorities", "1,2,3"), "3 priorities for 2 nodes"),
        (("--mode", "nonsense"), "'nonsense' is not one of"),
        (("--check", "tcp:http"), "'tcp:http' names no TCP port"),
        (("--advert-interval", "0.001"), "an advertisement interval of 0.001 s is out of range"),
        (("--name", "a b;$(x)"), "cannot be a pair's name"),
        (("--exit-code",), "--exit-code goes with --dry-run"),
    ],
)
def test_contradictions_are_usage_errors(haos: Haos, world: World, argv: tuple[str, ...], reason: str) -> None:
    before = world.snapshot()
    ended = haos(*CREATE, *argv)
    assert (ended.code, ended.out) == (2, "")
    assert reason in ended.err
    assert world.snapshot() == before


def test_dry_run_changes_nothing_and_tells_by_its_exit_code(haos: Haos, world: World) -> None:
    before = world.snapshot()
    assert haos(*CREATE, "--dry-run").code == 0
    assert haos(*CREATE, "--dry-run", "--exit-code").code == 3
    assert world.snapshot() == before
    assert haos(*CREATE, "-q").code == 0
    assert haos(*CREATE, "--dry-run", "--exit-code").code == 0


def test_nobody_is_asked_where_nobody_is(haos: Haos) -> None:
    ended = haos(*CREATE)
    assert ended.code == 0
    assert "[y/N]" not in ended.err


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put somebody at a terminal, who types this."""

    def typed(text: str) -> None:
        monkeypatch.setattr("haos.cli.asking.os.isatty", lambda _: True)
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return typed


@pytest.mark.parametrize("text", ["y\n", "YES\n"])
def test_yes_goes_on(haos: Haos, answer: Callable[[str], None], text: str) -> None:
    answer(text)
    ended = haos(*CREATE)
    assert ended.code == 0
    assert "Do you want to make these changes? [y/N] " in ended.err
    assert "[y/N]" not in ended.out


@pytest.mark.parametrize("text", ["\n", "n\n", "nonsense\n"])
def test_anything_else_changes_nothing(haos: Haos, world: World, answer: Callable[[str], None], text: str) -> None:
    before = world.snapshot()
    answer(text)
    ended = haos(*CREATE)
    assert ended.code == 1
    assert ended.err.splitlines()[-2:] == [
        "Do you want to make these changes? [y/N] haos: you said no; nothing was changed",
        "  hint: --yes goes ahead without the question",
    ]
    assert world.snapshot() == before


def test_the_end_of_input_interrupts(haos: Haos, world: World, answer: Callable[[str], None]) -> None:
    before = world.snapshot()
    answer("")
    assert haos(*CREATE).code == 130
    assert world.snapshot() == before


@pytest.mark.parametrize("flag", ["-y", "--yes"])
def test_yes_is_not_asked(haos: Haos, answer: Callable[[str], None], flag: str) -> None:
    answer("")
    assert haos(*CREATE, flag).code == 0
    assert haos("teardown", flag).code == 0


def test_nothing_to_change_is_not_asked(haos: Haos, answer: Callable[[str], None]) -> None:
    assert haos(*CREATE).code == 0
    answer("")
    assert haos(*CREATE).code == 0


def test_teardown_shows_its_plan_before_it_asks(haos: Haos, world: World, answer: Callable[[str], None]) -> None:
    assert haos(*CREATE, "--name", "web").code == 0
    before = world.snapshot()
    answer("no\n")
    ended = haos("teardown")
    assert ended.code == 1
    assert ended.out == haos("teardown", "--dry-run").out
    assert ended.out.endswith("Plan: 0 to add, 0 to change, 6 to remove.\n")
    assert world.snapshot() == before
    answer("y\n")
    assert haos("teardown").code == 0


def test_teardown_by_force_skips_what_is_out_of_reach(haos: Haos, world: World) -> None:
    assert haos(*CREATE, "--name", "web").code == 0
    world.unreachable.add(next(one.id for one in world.instances.values() if one.name == "ha_second"))
    assert haos("teardown").code == 6
    ended = haos("teardown", "--force")
    assert ended.code == 0
    assert "  ! skipped: ha_second" in ended.out
    assert haos("list", "-f", "value").out == ""


@pytest.fixture
def full(world: World) -> None:
    """A subnet whose pool spans it, as Neutron's default."""
    whole = Pool(ip_address("10.200.51.2"), ip_address("10.200.51.254"))
    world.subnets[SUBNET] = replace(world.subnets[SUBNET], pools=(whole,))


@pytest.mark.usefixtures("full")
def test_an_address_of_a_pool_is_offered_on_a_terminal(haos: Haos, answer: Callable[[str], None]) -> None:
    assert haos(*CREATE).code == 5
    answer("no\n")
    assert haos(*CREATE).code == 5
    answer("yes\nyes\n")
    ended = haos(*CREATE)
    assert ended.code == 0
    assert "from a pool? Its reservation keeps Neutron from handing it out. [y/N] " in ended.err
    assert haos("list", "-f", "value", "-c", "Status").out == "ok\n"


REPORT = CheckReport(
    "web",
    (
        blocker(
            "pairs-full", "ha_first's port has 10 allowed address pairs; the limit is 10", "openstack port show p"
        ),
        warning("same-hypervisor", "two nodes run on one hypervisor"),
    ),
)


@pytest.mark.parametrize("argv", [HOWTO, ("web",)])
def test_what_check_found(haos: Haos, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]) -> None:
    monkeypatch.setattr("haos.workflow.check.check", lambda *_: REPORT)
    monkeypatch.setattr("haos.workflow.check.check_pair", lambda *_: REPORT)
    ended = haos("check", *argv, "--max-width", "90")
    assert ended.code == 5
    assert ended.out == (
        "+----------+-----------------+-----------------------------+-----------------------+\n"
        "| Severity | Code            | Reason                      | Remedy                |\n"
        "+----------+-----------------+-----------------------------+-----------------------+\n"
        "| blocker  | pairs-full      | ha_first's port has 10      | openstack port show p |\n"
        "|          |                 | allowed address pairs; the  |                       |\n"
        "|          |                 | limit is 10                 |                       |\n"
        "| warning  | same-hypervisor | two nodes run on one        | None                  |\n"
        "|          |                 | hypervisor                  |                       |\n"
        "+----------+-----------------+-----------------------------+-----------------------+\n"
    )
    assert ended.err == "web: not possible as it is\n"
    found = json.loads(haos("check", *argv, "-f", "json").out)
    assert [one["Code"] for one in found] == ["pairs-full", "same-hypervisor"]
    assert found[1]["Remedy"] is None


def test_check_on_a_world_where_all_is_well(haos: Haos, world: World) -> None:
    before = world.snapshot()
    ended = haos("check", *HOWTO, "-q")
    assert (ended.code, ended.out) == (0, "ha_first-ha_second: nothing speaks against it\n")
    assert haos("check", *HOWTO, "-f", "json").out == "[]\n"
    assert world.snapshot() == before
    assert haos(*CREATE, "-q").code == 0
    assert haos("check", "-q").out == "ha_first-ha_second: nothing speaks against it\n"


def test_a_warning_is_no_failure(haos: Haos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haos.workflow.check.check_pair", lambda *_: CheckReport("web", REPORT.findings[1:]))
    ended = haos("check")
    assert ended.code == 0
    assert ended.out == (
        "+----------+-----------------+---------------------------------+--------+\n"
        "| Severity | Code            | Reason                          | Remedy |\n"
        "+----------+-----------------+---------------------------------+--------+\n"
        "| warning  | same-hypervisor | two nodes run on one hypervisor | None   |\n"
        "+----------+-----------------+---------------------------------+--------+\n"
    )
    assert ended.err == "web: possible, with warnings\n"


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("--network", "n"), "--network and --nodes go together"),
        (("--nodes", "a,b"), "--network and --nodes go together"),
        (("web", "--network", "n", "--nodes", "a,b"), "beside a PAIR only --observer can be given"),
        (("web", "--profile", "fast"), "beside a PAIR only --observer can be given"),
        (("--network", "n", "--nodes", "a"), "a pair has 2 to 5"),
    ],
)
def test_check_takes_a_pair_or_its_description(haos: Haos, argv: tuple[str, ...], reason: str) -> None:
    ended = haos("check", *argv, "-q")
    assert ended.code == 2
    assert reason in ended.err
