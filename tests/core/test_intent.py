"""The tag that announces a fault: short, exact both ways, and believed only where haos could have written it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core.checks import Severity, check_intents
from haos.core.intent import MAX_LENGTH, CloudFault, Intent, decode, intents_of, naming, pending, strange_tags
from haos.core.model import Member, Pair, Port
from haos.core.record import port_code

FIRST, SECOND = "913c4131-0cc3-4df4-9f7e-b4cf4ae885ca", "e220e2d9-37de-4d44-8680-638ed0ae2a4f"
STRANGER = "685b6cdc-ff7f-4d82-8993-a8ca1ebf95b1"
INTENT = Intent(CloudFault.PORT_DOWN, FIRST, 1795470603)
PORT = Port("p", "n", "project", "00:00:5e:00:01:01", ())
PAIR = Pair("web", "n", "project", ip_address("10.200.51.2"), 1, (Member(FIRST, 240), Member(SECOND, 230)))


@given(st.sampled_from(CloudFault), st.uuids(), st.integers(1, 9_999_999_999))
def test_a_tag_is_short_and_read_back_exactly(fault: CloudFault, port: UUID, until_s: int) -> None:
    intent = Intent(fault, str(port), until_s)
    assert decode(intent.tag) == intent
    assert len(intent.tag) <= MAX_LENGTH
    assert not set(intent.tag) & set("/, ")  # Neutron's own limits


@given(st.text() | st.from_regex(r"haos-fault:[a-z-]{1,15}:[A-Za-z0-9_-]{22}:[0-9]{1,12}", fullmatch=True))
def test_what_is_read_is_what_would_be_written(tag: str) -> None:
    intent = decode(tag)
    assert intent is None or intent.tag == tag


@pytest.mark.parametrize(
    "tag",
    [
        "haos-fault:reboot:kTxBMQzDTfSffrTPSuiFyg:1795470603",
        "haos-fault:port-down:kTxBMQzDTfSffrTPSuiFyh:1795470603",
        "haos-fault:port-down:kTxBMQzDTfSffrTPSuiFyg:0",
        "haos-fault:port-down:kTxBMQzDTfSffrTPSuiFyg:",
        "haos-fault:port-down:kTxBMQzDTfSffrTPSuiFyg:1795470603\n",
        "haos-fault:port-down:913c4131-0cc3-4df4-9f7e-b4cf4ae885ca:1795470603",
        "xhaos-fault:port-down:kTxBMQzDTfSffrTPSuiFyg:1795470603",
        "mine",
    ],
)
def test_anything_else_announces_nothing(tag: str) -> None:
    assert decode(tag) is None


def test_only_members_are_acted_on_and_the_rest_is_strange() -> None:
    other = Intent(CloudFault.PAUSE, STRANGER, 5)
    unknown = f"haos-fault:melt:{port_code(FIRST)}:7"
    port = replace(PORT, tags=("mine", INTENT.tag, other.tag, unknown))
    assert intents_of(port) == (INTENT, other)
    assert pending(PAIR, port) == (INTENT,)
    assert strange_tags(PAIR, port) == (other.tag, unknown)
    assert naming(PAIR, port, {FIRST: "web1", STRANGER: "db"}) == (
        "fault port-down on web1 was announced until 2026-11-23 21:50:03 UTC and is still there: "
        "a failover-test is at work, or died",
    )
    assert naming(PAIR, PORT, {}) == ()


def test_check_blocks_on_what_is_pending_and_warns_of_what_is_strange() -> None:
    port = replace(PORT, tags=("haos-fault:$(reboot)", INTENT.tag))
    pend, strange = check_intents(PAIR, port, ())
    assert (pend.code, pend.severity) == ("fault-pending", Severity.BLOCKER)
    assert f"port-down on port {FIRST}" in pend.reason
    assert pend.remedy == "undo: haos failover-test --restore web"
    assert (strange.code, strange.severity) == ("fault-strange", Severity.WARNING)
    assert strange.remedy == "openstack port unset --tag 'haos-fault:$(reboot)' p"


def test_people_read_the_time() -> None:
    assert INTENT.until == "2026-11-23 21:50:03 UTC"
