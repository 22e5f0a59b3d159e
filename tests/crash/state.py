"""The whole state of a cloud and its nodes, as lines that can be compared: haos has no other."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from haos.lab import control
from tests.lab.main_job import NODES, cloud

State = frozenset[str]
INSTANCES = (*NODES, "observer")
REST_S = 120
"""How long a script may go on whose haos was killed; the longest of them waits for a package manager."""
KINDS = ("networks", "subnets", "routers", "ports", "security-groups", "floatingips")
VOLATILE = frozenset({"revision_number", "updated_at", "updated"})
_DAEMON = ("iname", "vrid", "base_priority", "effective_priority", "adver_int", "nopreempt", "preempt_delay", "state",
           "version", "vips", "vmac_ifname")  # fmt: skip
"""What keepalived says of an instance that does not change by itself."""
_MARK = re.compile(r"(haos-leaving):[0-9]+:[0-9a-f]+")
_SCRIPT = (Path(__file__).parent / "node_state.sh").read_text(encoding="utf-8")


@dataclass
class Watcher:
    """Reads the state of one lab, over ssh connections of its own that stay.

    `wide` is for commands that install, or work on the observer: it takes in that one, and all that packages bring.
    """

    lab: str
    sockets: Path
    wide: bool = False
    born: frozenset[str] = frozenset()
    """Ids that were there at first; any other is one that a second run would have made otherwise."""
    _api: Any = None
    _ssh: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Connect, and remember which resources are there."""
        self._api = cloud(self.lab)
        for name in self.instances:
            argv = control.ssh_argv(self.lab, name, ["sudo sh -s"])
            kept = [
                "-o",
                "ControlMaster=auto",
                "-o",
                "ControlPersist=yes",
                "-o",
                f"ControlPath={self.sockets}/{name}",
            ]
            self._ssh[name] = [argv[0], *kept, *argv[1:]]
        self.born = frozenset(str(each["id"]) for found in self._resources().values() for each in found)

    @property
    def instances(self) -> tuple[str, ...]:
        """Those on which something could change."""
        return INSTANCES if self.wide else NODES

    def close(self) -> None:
        """End the connections."""
        for name in self.instances:
            exit_ = ["ssh", "-S", f"{self.sockets}/{name}", "-O", "exit", name]
            subprocess.run(exit_, check=False, capture_output=True, timeout=20)

    def look(self, *, live: bool = False) -> State:
        """Return the state once the nodes are at rest; `live` asks keepalived too what it runs."""
        with ThreadPoolExecutor(len(self.instances)) as pool:
            seen = list(pool.map(lambda name: self._node(name, live), self.instances))
        return frozenset(self._cloud()) | frozenset().union(*seen)

    def _node(self, name: str, live: bool) -> set[str]:
        words = {"REST_S": REST_S, "LIVE": _yes(live), "WIDE": _yes(self.wide)}
        said = " ".join(f"{word}={value}" for word, value in words.items())
        script = f"{{ {said}\n{_SCRIPT}\n}} </dev/null\n"
        ended = subprocess.run(
            self._ssh[name], input=script, capture_output=True, text=True, check=False, timeout=REST_S + 60
        )
        *lines, last = ended.stdout.splitlines()
        assert (ended.returncode, last) == (0, "end"), f"{name} is not at rest: {ended.stdout}{ended.stderr}"
        return {f"{name}: {_plain(line)}" for line in lines}

    def _resources(self) -> dict[str, list[dict[str, Any]]]:
        network, compute = self._api.network, self._api.compute
        found = {kind: network.get(f"/{kind}").json()[kind.replace("-", "_")] for kind in KINDS}
        return {**found, "servers": compute.get("/servers/detail").json()["servers"]}

    def _cloud(self) -> Iterator[str]:
        resources = self._resources()
        labels = self._labels(resources)
        for kind, found in resources.items():
            for each in found:
                for key, value in self._kept(each).items():
                    yield _relabelled(f"{kind} {each['id']} {key}: {json.dumps(value, sort_keys=True)}", labels)

    def _labels(self, resources: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, str]:
        """Name what a second run makes with another id; two of one name stay two."""
        labels: dict[str, str] = {}
        for kind, found in resources.items():
            for each in found:
                if each["id"] not in self.born:
                    name = f"<{kind}: {each.get('name') or each.get('floating_ip_address')}"
                    same = sum(label.startswith(name) for label in labels.values())
                    labels[str(each["id"])] = f"{name}{f' #{same + 1}' if same else ''}>"
        return labels

    def _kept(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        fresh = resource["id"] not in self.born
        left_out = VOLATILE | ({"created_at"} if fresh else set())
        kept = {key: value for key, value in resource.items() if key not in left_out}
        if rules := kept.get("security_group_rules"):
            kept["security_group_rules"] = _rules(rules, {"id", "created_at"} if fresh else set())
        return kept


def _yes(said: bool) -> str:
    return "yes" if said else "no"


def _rules(rules: Iterable[Mapping[str, Any]], more: set[str]) -> list[str]:
    """Return rules in an order of their own; those of a group that was made anew have ids that do not matter."""
    left_out = VOLATILE | more
    kept = ({key: value for key, value in rule.items() if key not in left_out} for rule in rules)
    return sorted(json.dumps(rule, sort_keys=True) for rule in kept)


def _relabelled(line: str, labels: Mapping[str, str]) -> str:
    for found, label in labels.items():
        line = line.replace(found, label)
    return _MARK.sub(r"\1", line)


def _plain(line: str) -> str:
    """Leave out of keepalived's own words what counts or passes."""
    if not line.startswith("daemon "):
        return line
    try:
        said = json.loads(line.removeprefix("daemon "))
    except ValueError:
        return line
    kept = [{key: each["data"].get(key) for key in _DAEMON} for each in said]
    return f"daemon {json.dumps(sorted(kept, key=lambda one: str(one['iname'])))}"


def key_of(state: State) -> State:
    """Return what of a state could make a difference to the next haos: not who holds the VIP just now."""
    return frozenset(line for line in state if not re.match(r"\S+ (?:address|route|daemon) ", line))


def difference(now: State, wanted: State) -> str:
    """Say in which lines two states differ; "" if in none."""
    gone, new = sorted(wanted - now), sorted(now - wanted)
    return "\n".join([*(f"- {line}" for line in gone), *(f"+ {line}" for line in new)])
