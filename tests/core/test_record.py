"""The record: five nodes fit, what is written is read, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core import names, record
from haos.core.model import (
    Added,
    FixedIp,
    Member,
    Mode,
    OwnFloatingIp,
    Pair,
    Port,
    ServiceCheck,
    Timing,
    virtual_mac,
)
from haos.errors import RecordError

INTERVALS = st.sampled_from([0.01, 0.05, 0.1, 0.3, 0.57, 1.0, 40.95])
FOR_MANY_S = 0.1


def _fitting(timing: Timing, count: int) -> Timing:
    """Return what that many nodes may have."""
    if count == 2:
        return timing
    return replace(timing, bfd=False, advertisement_interval_s=max(FOR_MANY_S, timing.advertisement_interval_s))


members = st.lists(
    st.builds(
        Member,
        st.uuids().map(str),
        st.integers(1, 254),
        st.sets(st.sampled_from([Added.PAIR, Added.VMAC, Added.GROUP, Added.PACKAGE])).map(
            lambda flags: Added(sum(flag.value for flag in flags))
        ),
    ),
    min_size=2,
    max_size=5,
    unique_by=(lambda member: member.port_id, lambda member: member.priority),
).map(tuple)
pairs = st.builds(
    Pair,
    name=st.from_regex(names.NAME, fullmatch=True),
    network_id=st.just("net"),
    project_id=st.just("project"),
    vip=st.sampled_from([ip_address("10.200.51.2"), ip_address("fd00::2")]),
    vrid=st.integers(1, 255),
    members=members,
    mode=st.sampled_from(Mode),
    timing=st.one_of(
        st.builds(Timing, INTERVALS, st.integers(0, 1000), bfd=st.booleans()),
        st.builds(Timing, INTERVALS, preempt=st.just(False), bfd=st.booleans()),
    ),
    reservation_id=st.just("port-1"),
    verified=st.booleans(),
    floating=st.one_of(st.none(), st.builds(OwnFloatingIp, st.one_of(st.none(), st.ip_addresses(v=4)))),
).map(lambda pair: replace(pair, timing=_fitting(pair.timing, len(pair.members))))
NEW_PORT = "00000000-0000-4000-8000-000000000001"
PORTS = [(False, False), (True, False), (False, True)]
"""Of the reservation port: whether it is adopted, whether haos's own has any MAC."""


def port_of(pair: Pair, description: str) -> Port:
    return Port(
        id=pair.reservation_id,
        network_id=pair.network_id,
        project_id=pair.project_id,
        mac=virtual_mac(pair.vrid, pair.vip.version),
        fixed_ips=(FixedIp(pair.vip, "s"),),
        device_id=names.device_id(pair.name),
        device_owner="haos:vip",
        description=description,
    )


@given(pairs, st.sampled_from(PORTS))
def test_what_is_written_is_read(pair: Pair, port: tuple[bool, bool]) -> None:
    pair = replace(pair, adopted=port[0], plain_mac=port[1])
    text = record.encode(pair)
    assert len(text) <= 255
    assert record.decode(port_of(pair, text)) == pair


PAIR = Pair(
    "web",
    "net",
    "project",
    ip_address("10.200.51.2"),
    1,
    (
        Member("913c4131-0cc3-4df4-9f7e-b4cf4ae885ca", 240, Added.PAIR),
        Member("e220e2d9-f4de-4941-92e0-640ee352aa4f", 230, Added.PAIR | Added.GROUP | Added.PACKAGE),
    ),
    reservation_id="port-1",
)


def test_the_form_is_fixed() -> None:
    assert record.encode(PAIR) == (
        "haos/1 n=web m=garp a=300 d=5 v=0 N=kTxBMQzDTfSffrTPSuiFyg:240:p,4iDi2fTeSUGS4GQO41KqTw:230:pgk"
    )


@pytest.mark.parametrize(("adopted", "plain_mac"), PORTS)
def test_five_nodes_with_everything_and_the_longest_name_fit(adopted: bool, plain_mac: bool) -> None:
    everything = Added.PAIR | Added.VMAC | Added.GROUP | Added.PACKAGE
    nodes = tuple(Member(f"913c4131-0cc3-4df4-9f7e-b4cf4ae885c{n}", 100 + n, everything) for n in range(5))
    longest = replace(
        PAIR,
        name="n" * 41,
        members=nodes,
        timing=Timing(40.95, 1000),  # BFD is for two nodes
        vrid=255,
        adopted=adopted,
        plain_mac=plain_mac,
        floating=OwnFloatingIp(IPv4Address("255.255.255.255")),
    )
    assert len(record.encode(longest)) <= 255


@pytest.mark.parametrize(
    "description",
    [
        "",
        "garbage",
        record.encode(PAIR) + " ",
        record.encode(PAIR).replace("haos/1", "haos/2"),
        record.encode(PAIR).replace("m=garp", "m=magic"),
        record.encode(PAIR).replace(" N=", " b=2 N="),
        record.encode(PAIR).replace(" N=", " r=0 N="),
        record.encode(PAIR).replace(" N=", " r=256 N="),
        record.encode(PAIR).replace(" N=", " o=0 N="),
        record.encode(PAIR).replace(" N=", " o=7 r=7 N="),
        record.encode(PAIR).replace(" N=", " x=7 N="),
        record.encode(PAIR).replace("d=5", "d=\N{ARABIC-INDIC DIGIT FIVE}"),
        record.encode(PAIR).replace("d=5", "d=1001"),
        record.encode(PAIR).replace("a=300", "a=1"),
        record.encode(PAIR).replace(":240:", ":255:"),
        record.encode(PAIR).replace("a=300", "a=0300"),
        record.encode(PAIR).replace("a=300", "a=305"),
        record.encode(PAIR).replace("d=5", "d=05"),
        record.encode(PAIR).replace(":240:", ":0240:"),
        record.encode(PAIR) + ",AAAAAAAAAAAAAAAAAAAAAA:240:",
        record.encode(PAIR) + ",AAAAAAAAAAAAAAAAAAAAAA:230:,AAAAAAAAAAAAAAAAAAAAAQ:230:",
        record.encode(PAIR).replace(":pgk", ":kgp"),
        record.encode(PAIR).replace("kTxBMQzDTfSffrTPSuiFyg", "kTxBMQzDTfSffrTPSuiFyh"),  # the same 16 bytes
        record.encode(PAIR).replace(" N=", " r=07 N="),
        record.encode(PAIR).replace(" N=", " r=7 N="),  # its MAC says 1
        record.encode(PAIR).replace(" N=", " b=1 N=") + ",AAAAAAAAAAAAAAAAAAAAAA:220:",
        record.encode(PAIR) + "".join(f",{name * 22}:{number}:" for number, name in enumerate("AQgw", 1)),
        record.encode(PAIR) + "\n",
        "\n" + record.encode(PAIR),
        record.encode(PAIR).replace("n=web", "n=w\N{LATIN SMALL LETTER E WITH ACUTE}b"),
        record.encode(PAIR).replace("n=web", "n=../web"),
        "x" * 255,
        "\N{SNOWMAN}" * 255,
        "$(reboot); `reboot` | reboot & reboot > /etc/passwd",
        record.encode(PAIR).replace("n=web", "n=other"),
        record.encode(PAIR).replace("n=web", "n=$(id)"),
        record.encode(PAIR).split(",")[0],
        record.encode(PAIR).split(",")[0] + "," + record.encode(PAIR).split("N=")[1].split(",")[0],
    ],
)
def test_anything_else_is_not_trusted(description: str) -> None:
    with pytest.raises(RecordError, match="cannot be trusted") as error:
        record.decode(port_of(PAIR, description))
    assert "openstack port show port-1" in (error.value.hint or "")


def test_a_record_on_a_port_of_another_kind_is_not_trusted() -> None:
    good = port_of(PAIR, record.encode(PAIR))
    for wrong in (
        replace(good, device_owner="compute:nova"),
        replace(good, device_id="haos-other"),
        replace(good, mac="fa:16:3e:00:00:01"),
        replace(good, mac=virtual_mac(1, 6)),
        replace(good, fixed_ips=()),
    ):
        with pytest.raises(RecordError):
            record.decode(wrong)


@pytest.mark.parametrize(("field", "adopted", "plain_mac"), [("r", True, False), ("o", False, True)])
def test_a_port_with_any_mac_has_the_vrid_in_its_record(field: str, adopted: bool, plain_mac: bool) -> None:
    pair = replace(PAIR, vrid=77, adopted=adopted, plain_mac=plain_mac)
    port = replace(port_of(pair, record.encode(pair)), mac="fa:16:3e:00:00:01")
    assert f" {field}=77 " in port.description
    assert record.decode(port) == pair


PIECES = st.sampled_from(
    [" ", "\n", "N=", "n=", "m=vmac", "a=10", "d=n", "b=1 ", "r=7 ", "o=7 ", "f=made ", ",", ":", "p", "vgk", "0",
     "255", "$(id)", ";", "'", "\x00", "\N{SNOWMAN}", "../", "kTxBMQzDTfSffrTPSuiFyg"]
)  # fmt: skip


def decoded(port: Port) -> Pair | RecordError:
    try:
        return record.decode(port)
    except RecordError as error:
        return error


@given(pairs, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 4), PIECES), min_size=1, max_size=4))
def test_whatever_is_done_to_a_record_it_is_refused_or_one_that_haos_could_have_written(
    pair: Pair, edits: list[tuple[int, int, str]]
) -> None:
    text = record.encode(pair)
    for at, length, piece in edits:
        text = text[:at] + piece + text[at + length :]
    read = decoded(port_of(pair, text))
    if isinstance(read, RecordError):
        assert "cannot be trusted" in read.reason
        assert "\n" not in str(read)
        return
    assert record.encode(read) == text
    assert 2 <= len(read.members) <= 5
    assert all(1 <= member.priority <= 254 for member in read.members)
    assert 1 <= read.vrid <= 255


@given(st.text(max_size=255))
def test_text_of_any_kind_is_refused(text: str) -> None:
    with pytest.raises(RecordError, match="cannot be trusted"):
        record.decode(port_of(PAIR, text))


def test_a_node_may_stand_beside_the_one_that_takes_its_place() -> None:
    old, new = Member("913c4131-0cc3-4df4-9f7e-b4cf4ae885ca", 240), Member(NEW_PORT, 240, Added.PACKAGE)
    last = Member("e220e2d9-f4de-4941-92e0-640ee352aa4f", 230)
    pair = replace(PAIR, members=(old, new, last), timing=Timing(0.05))
    assert record.decode(port_of(pair, record.encode(pair))) == pair


def test_service_checks_never_stand_in_the_record() -> None:
    checked = replace(PAIR, checks=(ServiceCheck("reboot"),))
    assert record.encode(checked) == record.encode(PAIR)
