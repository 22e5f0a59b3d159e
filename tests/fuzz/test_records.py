"""The record's codec: what is written is read as it was, and anything else is a RecordError in one line."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from haos.core import record
from haos.core.model import RESERVATION_OWNER, FixedIp, Pair, Port, virtual_mac
from haos.core.names import device_id
from haos.errors import RecordError
from tests.core.test_record import PORTS, pairs
from tests.fuzz.amount import examples


def carried(pair: Pair, description: str, mac: str | None = None) -> Port:
    """Return the reservation port of a pair with a record on it."""
    return Port(
        "port-1",
        pair.network_id,
        pair.project_id,
        mac or virtual_mac(pair.vrid, pair.vip.version),
        (FixedIp(pair.vip, "s"),),
        device_owner=RESERVATION_OWNER,
        device_id=device_id(pair.name),
        description=description,
    )


def decoded(port: Port) -> Pair | None:
    """Return the pair, None where the record is refused; a traceback comes out as it is."""
    try:
        return record.decode(port)
    except RecordError as error:
        if not (str(error).isprintable() and error.hint):
            raise AssertionError(f"not one line: {error}") from error
        return None


@examples(100)
@given(pair=pairs, port=st.sampled_from(PORTS))
def test_what_is_written_is_read_as_it_was(pair: Pair, port: tuple[bool, bool]) -> None:
    adopted, plain_mac = port
    pair = replace(pair, adopted=adopted, plain_mac=plain_mac, reservation_id="port-1")
    mac = "fa:16:3e:00:00:09" if adopted or plain_mac else None
    text = record.encode(pair)
    assert len(text) <= record.MAX_LENGTH
    assert text.isascii()
    assert text.isprintable()
    assert decoded(carried(pair, text, mac)) == pair


@examples(150)
@given(pair=pairs, data=st.data())
def test_a_record_with_a_letter_that_is_otherwise_is_refused_or_is_another_whole_record(
    pair: Pair, data: st.DataObject
) -> None:
    """What is read says, written again, the very text that it was read from: no second spelling of anything."""
    text = record.encode(pair)
    at, how = (
        data.draw(st.integers(0, len(text))),
        data.draw(st.sampled_from(["insert", "replace", "drop", "cut", "double"])),
    )
    letter = data.draw(st.sampled_from(list("0123456789=:,_-abN ovrfpgk/\n\t\0\u0430\u0663\u00b2")) | st.characters())
    spoilt = {
        "insert": text[:at] + letter + text[at:],
        "replace": text[:at] + letter + text[at + 1 :],
        "drop": text[:at] + text[at + 1 :],
        "cut": text[:at],
        "double": text[:at] + text,
    }[how]
    found = decoded(carried(pair, spoilt))
    if found is not None:
        again = record.encode(found)
        assert again == spoilt or normal(again) == normal(spoilt)


def normal(text: str) -> str:
    """Return a record with its numbers spelled alike: "007" is 7 for whoever reads it."""
    return " ".join(
        ":".join(part.lstrip("0") or "0" if part.isdecimal() else part for part in word.split(":"))
        if word.startswith("N=")
        else "=".join(part.lstrip("0") or "0" if part.isdecimal() else part for part in word.split("="))
        for word in text.split(" ")
    )


@examples(100)
@given(text=st.text(max_size=300) | st.text("haos/1 n=webmgrpa30d5vN:,kTx_-", max_size=255))
def test_anything_else_is_refused(text: str) -> None:
    pair = Pair("web", "net", "project", ip_address("10.200.51.2"), 7, ())
    assert decoded(carried(pair, text)) is None


@examples(40)
@given(
    pair=pairs,
    mac=st.text(max_size=17) | st.sampled_from(["", "00:00:5e:00:01:00", "00:00:5e:00:01:zz", "00:00:5E:00:02:07"]),
)
def test_a_mac_that_is_no_virtual_routers_says_no_vrid(pair: Pair, mac: str) -> None:
    found = decoded(replace(carried(pair, record.encode(pair)), mac=mac))
    if found is not None:
        assert mac.lower() == virtual_mac(found.vrid, found.vip.version)


@examples(40)
@given(code=st.text(max_size=30) | st.from_regex(r"[A-Za-z0-9_-]{22}", fullmatch=True))
def test_a_ports_code_is_an_id_or_none(code: str) -> None:
    found = record.port_id_of(code)
    if found is not None and len(code) == 22:
        assert record.port_id_of(record.port_code(found)) == found
