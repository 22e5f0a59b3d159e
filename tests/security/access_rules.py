"""The access rules that haos needs, from what it asks: `python -m tests.security.access_rules` writes docs/*.json."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from haos.core.access import AccessRule
from tests.security.calls import READING, WRITING, Calls, bench

DOCS = Path(__file__).parents[2] / "docs"
ALL, READ = DOCS / "access-rules.json", DOCS / "access-rules-read.json"


def asked_by(calls: Calls) -> frozenset[AccessRule]:
    """Make these calls of a cloud, and return the rules that allow all that was asked."""
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as made:
        for call in calls.values():
            call(made)
        return narrowed(made.asked)


def narrowed(rules: Iterable[AccessRule]) -> frozenset[AccessRule]:
    """Leave out what another rule allows already: /servers/* allows /servers/detail too."""
    known = frozenset(rules)
    return frozenset(
        rule for rule in known if not any(other.allows(*astuple(rule)) for other in known if other != rule)
    )


def load(path: Path) -> frozenset[AccessRule]:
    """Read a file of rules."""
    return frozenset(AccessRule(**each) for each in json.loads(path.read_text()))


def text(rules: frozenset[AccessRule]) -> str:
    """Return the file of some rules, as `openstack application credential create --access-rules` takes it."""
    ordered = sorted(rules, key=lambda rule: (rule.service, rule.path, rule.method))
    return "[\n" + ",\n".join(f"  {rule}" for rule in ordered) + "\n]\n"


def main() -> None:
    """Write both files."""
    ALL.write_text(text(asked_by({**READING, **WRITING})))
    READ.write_text(text(asked_by(READING)))


if __name__ == "__main__":
    main()
