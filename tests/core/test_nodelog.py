"""What a node wrote down of its addresses: times, changes, and what of it is to be believed."""

from __future__ import annotations

import base64

import pytest

from haos.core.fault import AddressEvent, NodeLog
from haos.core.node_parse import UnreadableError
from haos.core.nodelog import parse_node_log

LOG = r"""
[2026-11-25T21:45:24.715023] 2: ens3    inet 10.200.51.9/32 scope global ens3\       valid_lft forever
[2026-11-25T21:45:24.800000] 2: ens3    inet 10.200.51.99/32 scope global ens3\       valid_lft forever
[2026-11-25T21:45:25.000000] 2: ens3    inet 10.200.51.9/32 scope global ens3\       valid_lft forever
[2026-11-25T21:45:26.500000] Deleted 2: ens3    inet 10.200.51.9/32 scope global ens3\       valid_lft forever
"""
AT_S = 1795643124.715023


def printed(**changes: str) -> str:
    lines = {
        "began": f"{AT_S - 10} 10.200.51.9 0",
        "log": LOG,
        "stamps": "",
        "boot": "start 1",
        "whole": "yes",
        "now": f"{AT_S + 10}",
        **changes,
    }
    return "".join(f"{key} {base64.b64encode(text.encode()).decode()}\n" for key, text in lines.items()) + "end\n"


def test_an_address_comes_and_goes_once() -> None:
    log = parse_node_log(printed())
    assert log == NodeLog(
        now_s=AT_S + 10,
        began_s=AT_S - 10,
        held_at_start=False,
        events=(AddressEvent(AT_S, True), AddressEvent(AT_S + 1.784977, False)),
        boot="start 1",
    )


def test_an_address_that_is_set_again_is_no_event() -> None:
    log = parse_node_log(printed(began=f"{AT_S - 10} 10.200.51.9 1"))
    assert log.held_at_start
    assert [event.held for event in log.events] == [False]


def test_it_is_held_as_long_as_any_device_has_it() -> None:
    text = LOG.replace("] 2: ens3    inet 10.200.51.99/32", "] 7: vrrp.9    inet 10.200.51.9/32")
    assert [event.held for event in parse_node_log(printed(log=text)).events] == [True]


def test_ipv6_by_any_spelling_and_with_a_device_that_names_its_other_end() -> None:
    line = (
        r"[2026-11-25T21:45:24.715023] 2: ens3    inet6 2001:db8::9/128 scope global nodad \       valid_lft forever"
    )
    log = parse_node_log(printed(began=f"{AT_S} 2001:db8:0::9 0", log=line))
    assert [event.held for event in log.events] == [True]


def test_the_latest_fault_counts() -> None:
    first = "injected 10.5\nhealed 11.5\n"
    assert parse_node_log(printed(stamps=first)).healed_s == 11.5
    both = parse_node_log(printed(stamps=f"{first}injected 20.25\n"))
    assert (both.injected_s, both.healed_s) == (20.25, None)


def test_without_a_watch_nothing_is_known() -> None:
    log = parse_node_log(printed(began="", log="", whole="no", stamps="injected 7.5"))
    assert log == NodeLog(AT_S + 10, AT_S + 10, False, injected_s=7.5, boot="start 1", whole=False)


def test_a_log_that_broke_off_is_said() -> None:
    assert not parse_node_log(printed(whole="no")).whole


@pytest.mark.parametrize("part", ["began", "now", "stamps"])
def test_nonsense_is_refused(part: str) -> None:
    with pytest.raises(UnreadableError):
        parse_node_log(printed(**{part: "injected soon"}))
