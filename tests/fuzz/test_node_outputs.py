"""What a node's scripts print, spoilt: read rightly or refused (UnreadableError), and never a wrong "all is well"."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core import guestnet, keepalived, node_parse
from haos.core.model import Role
from haos.core.node_parse import UnreadableError, parse_facts, parse_lines, parse_removed, parse_sight, parse_survey
from haos.core.nodelog import parse_node_log
from tests.core.test_nodelog import printed
from tests.fuzz.amount import examples
from tests.fuzz.bodies import json_values, mutations

FIXTURES = Path(__file__).parents[2] / "fixtures"
MAC = "fa:16:3e:00:51:20"
RECORDED = {name: (FIXTURES / "host" / f"{name}.txt").read_text() for name in ("facts-fresh", "facts-pair")}
SIGHT = (FIXTURES / "host" / "sight-active.txt").read_text()
DUMP = (FIXTURES / "keepalived" / "dump.json").read_text()
TEXT_DUMP = (FIXTURES / "keepalived" / "dump.data").read_text()
INSTANCE = "haos_web"

Reading = Callable[[str], object]
READINGS: dict[str, tuple[Reading, str]] = {
    "facts": (lambda output: parse_facts(output, MAC), RECORDED["facts-pair"]),
    "sight": (lambda output: parse_sight(output, INSTANCE), SIGHT),
    "log": (parse_node_log, printed()),
    "removed": (parse_removed, "done cmVtb3ZlZA==\nleft aXQ=\nend\n"),
    "survey": (
        parse_survey,
        "answer MTAuMC4wLjEgZmE6MTY6M2U6MDA6MDA6MDE=\nheard NyA0\nlistened eWVz\nend\n",
    ),
}
DEEP = "[" * 3000
ODD = ("", " ", "\n", "²", "٣", "9" * 5000, "nan", "inf", "-1", "1e999", "0x", "\u2028", "😀", "\x00", "active\nx",
       DEEP, '{"a":' * 2000, "\xed\xa0\x80")  # fmt: skip
odd_texts = st.sampled_from(ODD) | st.text(max_size=12) | json_values.map(json.dumps)
ADDRESSES = json.loads(dict(parse_lines(RECORDED["facts-pair"]))["addresses"])


def lines(seen: Mapping[str, str]) -> str:
    encoded = {key: base64.b64encode(text.encode("utf-8", "surrogateescape")).decode() for key, text in seen.items()}
    return "".join(f"{key} {text}\n" for key, text in encoded.items()) + "end\n"


def attempt(read: Reading, output: str) -> Any | None:
    """Return what is read, None where it is said that it cannot be; anything else that is raised is a traceback."""
    try:
        return read(output)
    except UnreadableError:
        return None


@pytest.mark.parametrize(("read", "good"), READINGS.values(), ids=READINGS.keys())
@examples(20)
@given(data=st.data())
def test_an_output_that_was_cut_is_never_read(read: Reading, good: str, data: st.DataObject) -> None:
    """A connection that broke, a script that died: what came until then says nothing."""
    at = data.draw(st.integers(0, len(good) - len("\n")))
    cut = good[:at]
    if cut != good.rstrip("\n"):
        assert attempt(read, cut) is None


@pytest.mark.parametrize(("read", "good"), READINGS.values(), ids=READINGS.keys())
@examples(25)
@given(data=st.data())
def test_lines_of_any_kind_are_read_or_refused(read: Reading, good: str, data: st.DataObject) -> None:
    seen = dict(parse_lines(good))
    key = data.draw(st.sampled_from([*seen, "version", "weight:web", "clock", "nft", "iptables"]))
    what = data.draw(st.sampled_from(["text", "gone", "raw", "twice"]))
    if what == "text":
        attempt(read, lines({**seen, key: data.draw(odd_texts)}))
    elif what == "gone":
        attempt(read, lines({name: text for name, text in seen.items() if name != key}))
    elif what == "raw":
        raw = data.draw(
            st.text(max_size=20) | st.sampled_from(["é", "\u2028", "end", " ", "a", "a é", "a ====", "a A"])
        )
        attempt(read, good.replace("end\n", f"{raw}\nend\n"))
    else:
        attempt(read, good.replace("end\n", f"{key} {base64.b64encode(b'x').decode()}\nend\n"))


MEANS = {
    "addresses": "interface addresses net_manager network_file network_keeps keep_file firewall firewall_v6 "
    "firewall_bfd firewall_remedy firewall_v6_remedy",
    "active": "daemon_active",
    "enabled": "daemon_enabled",
    "os_release": "os_name",
    "version": "keepalived features",
    "others_config": "other_instances other_vrids script_security",
    "config_test": "config_messages",
    "markers": "package_by_haos",
    "capabilities": "realtime clock_synchronised",
    "uid_map": "realtime",
    "clock": "clock_synchronised",
    "free_kb": "free_mb",
    "nft": "firewall firewall_v6 firewall_bfd firewall_remedy firewall_v6_remedy",
}
"""What a line of the facts script says, by the attributes that it may change; else the attribute of its own name."""


@examples(30)
@given(data=st.data())
def test_a_line_of_the_facts_changes_nothing_but_what_it_tells(data: st.DataObject) -> None:
    seen = dict(parse_lines(RECORDED["facts-pair"]))
    key = data.draw(st.sampled_from([one for one in seen if ":" not in one]))
    spoilt = mutations(ADDRESSES).map(lambda one: json.dumps(one.of(ADDRESSES))) if key == "addresses" else odd_texts
    good = parse_facts(lines(seen), MAC)
    found = attempt(lambda output: parse_facts(output, MAC), lines({**seen, key: data.draw(spoilt)}))
    if found is not None:
        differing = {one.name for one in fields(good) if getattr(good, one.name) != getattr(found, one.name)}
        assert differing <= set(MEANS.get(key, key).split())
        assert not found.daemon_active or key != "active" or good.daemon_active


def active_by_json(dump: str, instance: str) -> bool:
    """Say, slowly, whether a dump says of an instance that it is MASTER (2), last word counting."""
    try:
        parsed = json.loads(dump)
        entries = parsed if isinstance(parsed, list) else parsed["vrrp"]
        states = [entry["data"]["state"] for entry in entries if entry["data"]["iname"] == instance]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return bool(states) and states[-1] == 2


@examples(30)
@given(data=st.data())
def test_a_node_is_active_only_if_keepalived_says_so(data: st.DataObject) -> None:
    seen = dict(parse_lines(SIGHT))
    dumped = json.loads(DUMP)
    instance = data.draw(st.sampled_from([INSTANCE, dumped[0]["data"]["iname"]]))
    seen["json"] = data.draw(mutations(dumped).map(lambda one: json.dumps(one.of(dumped))) | odd_texts)
    if data.draw(st.booleans()):
        key = data.draw(st.sampled_from(["active", "process", "holders", "configured"]))
        seen[key] = data.draw(odd_texts)
    found = attempt(lambda output: parse_sight(output, instance), lines(seen))
    if found is not None and found.role is Role.ACTIVE:
        assert active_by_json(seen["json"], instance)
        assert seen["active"].strip() == "active"
        assert seen["process"].strip()
    if found is not None:
        assert found.holds_vip is bool(seen["holders"].strip())


@examples(25)
@given(data=st.data())
def test_a_text_dump_gives_each_instance_its_own_state(data: st.DataObject) -> None:
    """Lines of the dump are dropped and doubled: no instance is Active that has no MASTER of its own."""
    whole = TEXT_DUMP.splitlines()
    lost = data.draw(st.sets(st.integers(0, len(whole) - 1), max_size=20))
    kept = [line for number, line in enumerate(whole) if number not in lost]
    at = data.draw(st.integers(0, len(kept)))
    kept.insert(
        at, data.draw(st.sampled_from(["   State = MASTER", " VRRP Instance = x", "   State = ", "", "9" * 99]))
    )
    text = "\n".join(kept)
    own, states = "", dict[str, set[str]]()
    for line in kept:
        if line.startswith(" VRRP Instance = "):
            own = line.removeprefix(" VRRP Instance = ")
        elif line.startswith("   State = "):
            states.setdefault(own, set()).add(line.removeprefix("   State = "))
    for name, role in keepalived.parse_roles_of_text(text).items():
        assert role is not Role.ACTIVE or "MASTER" in states.get(name, set())
    assert all(0 <= one < 10**6 for one in keepalived.parse_priorities_of_text(text).values())


@examples(30)
@given(text=odd_texts | st.text(max_size=40).map(lambda end: f"virtual_router_id {end}"))
def test_small_readings_take_any_text(text: str) -> None:
    """None of them raises; what is no number counts as none."""
    assert isinstance(node_parse.os_name(f"PRETTY_NAME={text}"), str)
    assert abs(node_parse.parse_weight(text)) < 10**9
    assert all(isinstance(one, str) for one in node_parse.parse_features(f"Config options: {text}"))
    version = guestnet.systemd_version(f"systemd {text}")
    assert version is None or 0 <= version < 10**9
    guestnet.keeps(text)
    list(keepalived.vrids_of(f"vrrp_instance x {{\n{text}\n}}"))
    keepalived.parse_roles(text)
    keepalived.parse_priorities(text)


@examples(25)
@given(key=st.sampled_from(["began", "stamps", "now", "log", "boot", "whole"]), text=odd_texts)
def test_times_of_a_log_are_times(key: str, text: str) -> None:
    """Whatever the line was: what is read are numbers that can be compared, and only "yes" is whole."""
    value = f"injected {text}\nhealed {text}" if key == "stamps" else text
    found = attempt(parse_node_log, printed(**{key: value}))
    if found is not None:
        times = [found.now_s, found.began_s, found.injected_s, found.healed_s, *(one.at_s for one in found.events)]
        assert all(one is None or math.isfinite(one) for one in times)
        assert not found.whole or key != "whole" or text == "yes"
