"""A node's firewall: what is said of its rules agrees with an oracle that tries all that cannot be known."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from haos.core.guest_firewall import judge
from haos.core.guest_rules import Packet
from tests.fuzz.amount import examples
from tests.fuzz.bodies import json_values, mutations

FIXTURES = Path(__file__).parents[2] / "fixtures" / "host" / "firewall"
FOUR = Packet("ens3", ip_interface("10.200.51.34/24"))
FIREWALLD = json.loads((FIXTURES / "firewalld.json").read_text())
UFW = (FIXTURES / "ufw.iptables").read_text()


@dataclass(frozen=True)
class Asked:
    """A condition, as iptables and nftables spell it; whether a peer's advertisement meets it (None: perhaps)."""

    iptables: str
    nft: dict[str, Any] | None
    met: bool | None


def matching(field: dict[str, Any], right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": field, "right": right}}


PROTOCOL, DEVICE = {"meta": {"key": "l4proto"}}, {"meta": {"key": "iifname"}}
SOURCE = {"payload": {"protocol": "ip", "field": "saddr"}}
HERE = {"payload": {"protocol": "ip", "field": "daddr"}}
CONDITIONS = (
    Asked("-p vrrp", matching(PROTOCOL, 112), True),
    Asked("-p tcp", matching(PROTOCOL, "tcp"), False),
    Asked("! -p tcp", matching(PROTOCOL, "tcp", "!="), True),
    Asked("-i ens3", matching(DEVICE, "ens3"), True),
    Asked("-i ens+", matching(DEVICE, "ens*"), True),
    Asked("! -i ens3", matching(DEVICE, "ens3", "!="), False),
    Asked("-i lo", matching(DEVICE, "lo"), False),
    Asked("-s 10.200.51.0/24", matching(SOURCE, {"prefix": {"addr": "10.200.51.0", "len": 24}}), True),
    Asked("-s 10.0.0.0/8", matching(SOURCE, {"prefix": {"addr": "10.0.0.0", "len": 8}}), True),
    Asked("-s 192.0.2.0/24", matching(SOURCE, {"prefix": {"addr": "192.0.2.0", "len": 24}}), False),
    Asked("-s 10.200.51.33/32", matching(SOURCE, "10.200.51.33"), None),
    Asked("! -s 10.200.51.33/32", matching(SOURCE, "10.200.51.33", "!="), None),
    Asked("-d 10.200.51.34/32", matching(HERE, "10.200.51.34"), True),
    Asked("-d 10.200.51.35/32", matching(HERE, "10.200.51.35"), False),
    Asked("-m limit --limit 5/min", {"limit": {"rate": 5, "per": "minute"}}, None),
    Asked("-m mark --mark 0x1", matching({"meta": {"key": "mark"}}, 1), None),
    Asked("-m conntrack --ctstate NEW", matching({"ct": {"key": "state"}}, "new", "in"), True),
    Asked(
        "-m conntrack --ctstate RELATED,ESTABLISHED",
        matching({"ct": {"key": "state"}}, ["established", "related"], "in"),
        False,
    ),
)
ENDS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}


@dataclass(frozen=True)
class Line:
    """A rule: all of its conditions, then where to; "" is nowhere, "LOG" nowhere either."""

    asked: tuple[Asked, ...]
    to: str
    goto: bool = False


@dataclass(frozen=True)
class Rules:
    """INPUT with its policy, and chains that only later ones are called from: A calls B, B calls nobody."""

    policy: str
    chains: dict[str, tuple[Line, ...]]


def _lines(draw: st.DrawFn, chains: list[str]) -> tuple[Line, ...]:
    targets = st.sampled_from([*ENDS, "LOG", "", *chains])
    asked = st.lists(st.sampled_from(CONDITIONS), max_size=2, unique_by=lambda one: one.iptables).map(tuple)
    made = st.builds(Line, asked, targets, st.booleans())
    return tuple(
        Line(line.asked, line.to, line.goto and line.to in chains) for line in draw(st.lists(made, max_size=3))
    )


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    chains = {"INPUT": _lines(draw, ["A", "B"]), "A": _lines(draw, ["B"]), "B": _lines(draw, [])}
    return Rules(draw(st.sampled_from(["ACCEPT", "DROP"])), chains)


def as_iptables(made: Rules) -> str:
    lines = [f"-P INPUT {made.policy}", "-P FORWARD DROP", "-N A", "-N B"]
    for chain, content in made.chains.items():
        for line in content:
            jump = f"-{'g' if line.goto else 'j'} {line.to}" if line.to else ""
            lines.append(" ".join([f"-A {chain}", *(asked.iptables for asked in line.asked), jump]).strip())
    return "\n".join(lines) + "\n"


def as_nft(made: Rules) -> str:
    table = {"family": "ip", "table": "mine"}
    entries: list[dict[str, Any]] = [{"table": {"family": "ip", "name": "mine"}}]
    for chain in made.chains:
        base = {"hook": "input", "policy": made.policy.lower()} if chain == "INPUT" else {}
        entries.append({"chain": {**table, "name": chain, **base}})
    for chain, content in made.chains.items():
        for line in content:
            expr: list[dict[str, Any]] = [asked.nft for asked in line.asked if asked.nft]
            if line.to in ENDS:
                expr.append({ENDS[line.to]: None})
            elif line.to == "LOG":
                expr.append({"log": None})
            elif line.to:
                expr.append({"goto" if line.goto else "jump": {"target": line.to}})
            entries.append({"rule": {**table, "chain": chain, "expr": expr}})
    return json.dumps({"nftables": entries})


Answers = dict[tuple[str, int], bool]


def fate(made: Rules, chain: str, answers: Answers) -> str:
    """Walk one packet through a chain as the kernel does: "drop", "accept", or "" at the chain's end."""
    for number, line in enumerate(made.chains[chain]):
        if any(asked.met is False for asked in line.asked):
            continue
        if any(asked.met is None for asked in line.asked) and not answers[chain, number]:
            continue
        if line.to in ("ACCEPT", "DROP", "REJECT"):
            return "accept" if line.to == "ACCEPT" else "drop"
        if line.to == "RETURN":
            return ""
        if line.to in made.chains:
            ended = fate(made, line.to, answers)
            if ended or line.goto:
                return ended
    return ""


def fates(made: Rules) -> set[str]:
    """Return what may become of the packet, over every answer to what cannot be known."""
    unknown = [
        (chain, number)
        for chain, content in made.chains.items()
        for number, line in enumerate(content)
        if any(asked.met is None for asked in line.asked)
    ]
    return {
        fate(made, "INPUT", dict(zip(unknown, answers, strict=True))) or made.policy.lower()
        for answers in itertools.product([True, False], repeat=len(unknown))
    }


def calls(made: Rules) -> Iterator[str]:
    for content in made.chains.values():
        yield from (line.to for line in content if line.to in made.chains)


@examples(60)
@given(made=rules())
def test_a_firewall_is_said_to_drop_what_it_surely_drops(made: Rules) -> None:
    """Never "drops" where it may let pass; and where no chain is walked twice, always where it cannot."""
    surely = fates(made) == {"drop"}
    called = list(calls(made))
    for seen in ({"iptables": as_iptables(made)}, {"nft": as_nft(made)}):
        said = judge(seen, FOUR) is not None
        assert not said or surely
        if len(set(called)) == len(called):
            assert said is surely


@examples(30)
@given(data=st.data())
def test_rules_of_any_kind_are_judged_or_say_nothing(data: st.DataObject) -> None:
    spoilt = data.draw(
        mutations(FIREWALLD).map(lambda one: json.dumps(one.of(FIREWALLD))) | json_values.map(json.dumps)
    )
    judge({"nft": data.draw(st.just(spoilt) | st.text(max_size=20) | st.just("[" * 3000))}, FOUR)
    words = UFW.split(" ")
    at = data.draw(st.integers(0, len(words) - 1))
    words[at] = data.draw(st.sampled_from(["", "!", '"', "-j", "-A", "\n-P INPUT", "²:3", "-m", "x"]))
    judge({"iptables": " ".join(words)}, FOUR)


def test_chains_that_call_each_other_many_times_over_take_no_time() -> None:
    """What the kernel would refuse may still be printed; there are 20^14 ways through this."""
    many = [f"-A C{number} -m mark --mark 0x1 -j C{number + 1}" for number in range(14) for _ in range(20)]
    chains = [f"-N C{number}" for number in range(15)]
    text = "\n".join(["-P INPUT DROP", *chains, "-A INPUT -j C0", *many, "-A C14 -j DROP"])
    blocked = judge({"iptables": text}, FOUR)
    assert blocked is not None
    assert "chain INPUT" in blocked.reason
