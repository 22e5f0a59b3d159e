"""Names of any kind, of instances, networks, subnets and pairs, in every view: shown, never obeyed or misread."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
import unicodedata
from dataclasses import dataclass, replace
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import assume, example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from haos.core import names
from haos.errors import UsageError
from haos.view.explain import explain, on_node
from haos.view.formats import as_list, as_one
from haos.view.script import command, comment, with_input
from haos.view.style import QUOTES, Style
from haos.workflow.create import prepare
from haos.workflow.request import CreateRequest
from tests.fakes import NETWORK, SUBNET, World, context_of, howto_world
from tests.fuzz.amount import examples
from tests.fuzz.running import EXIT_CODES, errors_of, run_haos

NASTY = (
    *("a b", "a\nb", "\n", "a\tb", "\x1b[2J\x1b]0;x\x07", "\x00", "\x85", "\u2028", "\u202egnp.exe", "\u2066x\u2069"),
    *(
        "$(touch run)",
        "`touch run`",
        "'; rm -rf / #",
        '"',
        "'",
        "\\",
        "-rf",
        "--help",
        "!!",
        "*",
        "~root",
        "# x",
        "a,b",
    ),
    *("a;b|c&d>e<f", "%s%n", "{}", "[bold]x[/]", ":ab:", "null", "1", "1e5", "true", "=1+1", "EOF", "END", "haos-x"),
    *(
        "ha-first",
        "ha_first",
        "HA_FIRST",
        "h\u0430_first",
        "\uff48\uff41_first",
        "e\u0301",
        "\u0301",
        "Zo\u00eb",
        "\ufeff",
    ),
    *("\u0661\u0662", "\U0001f600\U0001f469\u200d\U0001f469\u200d\U0001f467", "x" * 255),
)
"""Of control and direction, what a shell or a format takes for its own, look-alikes, emoji, 255 characters."""
a_name = (
    st.sampled_from(NASTY) | st.text(min_size=1, max_size=12) | st.text(st.characters(), min_size=1, max_size=255)
)


@dataclass(frozen=True)
class Called:
    """What the things of the howto are called."""

    first: str
    second: str
    observer: str
    network: str
    subnet: str

    def world(self) -> World:
        """Return the howto's world with these names."""
        world = howto_world()
        new = dict(zip(("ha_first", "ha_second", "observer"), (self.first, self.second, self.observer), strict=True))
        for key, one in list(world.instances.items()):
            renamed = replace(one, name=new[one.name], tags=("observer",) if one.name == "observer" else ())
            world.instances[key] = world.nodes[key].instance = renamed
        world.networks[NETWORK] = replace(world.networks[NETWORK], name=self.network)
        world.subnets[SUBNET] = replace(world.subnets[SUBNET], name=self.subnet)
        return world


called = st.builds(Called, a_name, a_name, a_name, a_name, a_name).filter(
    lambda one: len({one.first, one.second, one.observer}) == 3
)


def ids(world: World) -> list[str]:
    return list(world.instances)


def creating(world: World) -> list[str]:
    """Return a create that names all by id: names with commas cannot be listed."""
    first, second, observer = ids(world)
    return ["create", "--network", NETWORK, f"--nodes={first},{second}", f"--observer={observer}"]


def is_harmless(text: str) -> bool:
    """Say whether a terminal shows the text and obeys nothing in it: no control, no change of direction."""
    return not any(
        unicodedata.category(one) in ("Cc", "Zl", "Zp", "Cs") or unicodedata.bidirectional(one) in BIDI
        for one in text
        if one != "\n"
    )


BIDI = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def slow_slug(name: str) -> str:
    """Return a slug, letter by letter."""
    plain = [one for one in unicodedata.normalize("NFKD", name) if one.isascii()]
    kept = "".join(one if one.isalnum() or one in "._-" else "\0" for one in plain)
    return re.sub("\0+", "-", kept).strip("-._")


@examples(60)
@given(nodes=st.lists(a_name, min_size=2, max_size=5), data=st.data())
def test_a_default_name_is_legal_and_the_same_in_any_order(nodes: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(nodes))
    if not any(slow_slug(one) for one in nodes):
        with pytest.raises(UsageError, match="no pair name can be made"):
            names.default_name(nodes)
        return
    name = names.default_name(nodes)
    assert names.check_name(name) == name == names.default_name(shuffled)
    parts = [slow_slug(one) for one in nodes]
    assert "-".join(sorted(part for part in parts if part)).startswith(name)


@examples(5)
@given(things=called, data=st.data())
def test_a_pair_lives_and_goes_whatever_things_are_called(things: Called, data: st.DataObject) -> None:
    """Its screens obey nothing, its documents hold the names as they are, and nothing of it stays."""
    world = things.world()
    before = world.snapshot()
    name = "web"
    plan = run_haos([*creating(world), "--name", name, "--dry-run", "-v"], world)
    assert plan.code == 0, plan
    made = run_haos([*creating(world), "--name", name, "--yes"], world)
    assert made.code == 0, made
    shown = [run_haos(argv, world) for argv in (["list"], ["status"], ["check", name], ["teardown", "--dry-run"])]
    for ended in (plan, made, *shown):
        assert ended.code in EXIT_CODES
        assert is_harmless(ended.out + ended.err)
    listed = json.loads(run_haos(["list", "-f", "json"], world).out)
    assert [one["Name"] for one in listed] == [name]
    assert yaml.safe_load(run_haos(["list", "-f", "yaml"], world).out) == listed
    assert json.loads(json.dumps(listed[0]["Network"])) == things.network
    seen = json.loads(run_haos(["status", "-f", "json"], world).out)
    assert things.first in texts(seen)
    assert run_haos(["teardown", "--yes", "--purge"], world).code == 0
    assert world.snapshot() == before


def texts(document: Any) -> set[str]:
    """Return every text in a document."""
    if isinstance(document, dict):
        return set().union(*map(texts, document.values()))
    if isinstance(document, list):
        return set().union(*map(texts, document))
    return {document} if isinstance(document, str) else set()


@examples(20)
@given(things=called, data=st.data())
def test_what_is_named_wrongly_is_refused_in_one_line(things: Called, data: st.DataObject) -> None:
    """A name of any kind on the command line: found, or said not to be, in one line that obeys nothing."""
    world = things.world()
    odd = data.draw(a_name)
    assume("\0" not in odd)
    argv = data.draw(
        st.sampled_from(
            [
                ["create", f"--network={odd}", "--nodes=a,b", "--dry-run"],
                ["create", f"--network={NETWORK}", f"--nodes={odd},{ids(world)[0]}", "--dry-run"],
                [*creating(world), f"--name={odd}", "--dry-run"],
                [*creating(world), f"--subnet={odd}", "--dry-run"],
                [*creating(world), f"--observer={odd}", "--dry-run"],
                [*creating(world), f"--floating-ip={odd}", "--dry-run"],
                [*creating(world), f"--vip={odd}", "--dry-run"],
                ["status", "--", odd],
                ["teardown", "--yes", "--", odd],
                ["check", "--", odd],
                ["switchover", f"--to={odd}"],
                ["list", f"--sort-column={odd}", f"-c{odd}"],
            ]
        )
    )
    ended = run_haos(argv, world)
    assert ended.code in EXIT_CODES
    assert is_harmless(ended.out + ended.err)
    if ended.code:
        assert len(errors_of(ended)) == 1, ended.err


CELLS = st.one_of(a_name, st.integers(), st.booleans(), st.none(), st.lists(a_name, max_size=3).map(tuple))
COLUMNS = ("Name", "Floating IPs", "n:a-me")
rows_of_cells = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4)


def plainly(cell: Any) -> Any:
    return list(cell) if isinstance(cell, tuple) else cell


@examples(60)
@given(rows=rows_of_cells, noindent=st.booleans())
def test_documents_give_back_what_was_put_in(rows: list[list[Any]], noindent: bool) -> None:
    wanted = [dict(zip(COLUMNS, map(plainly, row), strict=True)) for row in rows]
    assert json.loads(as_list(COLUMNS, rows, Style("json", noindent=noindent))) == wanted
    assert yaml.safe_load(as_list(COLUMNS, rows, Style("yaml"))) == wanted
    for one, row in zip(wanted, rows, strict=True):
        assert json.loads(as_one(COLUMNS, row, Style("json"))) == one
        assert yaml.safe_load(as_one(COLUMNS, row, Style("yaml"))) == one


@examples(60)
@given(rows=st.lists(st.lists(a_name, min_size=3, max_size=3), max_size=4), quote=st.sampled_from(QUOTES))
def test_csv_gives_back_what_was_put_in(rows: list[list[str]], quote: str) -> None:
    text = as_list(COLUMNS, rows, Style("csv", quote=quote))
    kind = {"quoting": csv.QUOTE_NONE, "escapechar": "\\"} if quote == "none" else {"escapechar": "\\"}
    assert list(csv.reader(io.StringIO(text, newline=""), **kind)) == [list(COLUMNS), *rows]


@examples(60)
@given(rows=rows_of_cells, width=st.none() | st.integers(1, 120))
def test_a_table_is_a_table(rows: list[list[Any]], width: int | None) -> None:
    text = as_list(COLUMNS, rows, Style("table", print_empty=True), width=width)
    lines = text.removesuffix("\n").split("\n")
    assert is_harmless(text)
    assert len({cell_len(line) for line in lines}) == 1
    assert all(line[0] in "+|" and line[-1] in "+|" for line in lines)


@examples(40)
@given(value=a_name, prefix=st.sampled_from(["", "x_"]))
def test_shell_variables_are_evaluated_to_the_value_and_to_nothing_else(value: str, prefix: str) -> None:
    assume(("\0" not in value and value.isprintable()) or "\n" in value)
    assume("\0" not in value and all(not 0xD800 <= ord(one) < 0xE000 for one in value))
    script = as_one(("n:a-me",), (value,), Style("shell", prefix=prefix)) + f'printf %s "${prefix}n_a_me"'
    said = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, check=True, timeout=20)
    assert said.stdout.decode() == value
    assert said.stderr == b""


shell_words = st.lists(a_name.filter(lambda one: "\0" not in one), min_size=1, max_size=5)


@examples(60)
@given(words=shell_words)
def test_a_command_is_parsed_back_to_its_words(words: list[str]) -> None:
    assert shlex.split(command(*words)) == words
    login = ["ssh", "-l", "user"]
    here = shlex.split(on_node(login, *words))
    assert here[:-1] == ["ssh", "-n", "-l", "user"]
    assert shlex.split(here[-1]) == ["sudo", *words]


@examples(40)
@given(text=a_name)
def test_a_comment_is_one_line(text: str) -> None:
    assert shlex.split(comment(text), comments=True) == []
    assert is_harmless(comment(text))
    assert "\n" not in comment(text)


@examples(25)
@given(text=st.lists(a_name, max_size=4).map("\n".join))
@example("E\u00e9")  # of which dash 0.5.12 would make something else in a text that END ends
@example("END\nEND_")
def test_a_text_given_to_a_command_arrives_as_it_is(text: str) -> None:
    assume("\0" not in text and all(not 0xD800 <= ord(one) < 0xE000 for one in text))
    script = "\n".join(with_input(("cat",), text + "\n")) + "\n"
    said = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, check=True, timeout=20)
    assert said.stdout.decode() == text + "\n"


@examples(12)
@given(things=called, user=a_name.filter(lambda one: "\0" not in one))
def test_what_to_do_by_hand_is_a_script_that_gives_each_command_its_words(things: Called, user: str) -> None:
    """Its commands are openstack and ssh alone, and what a login is called comes back out of it as it went in."""
    world = things.world()
    first, second, observer = ids(world)
    ready = prepare(CreateRequest(NETWORK, (first, second), "web", observer=observer), context_of(world))
    logins = {node.name: ["ssh", "-l", user, str(node.address)] for node in ready.place.nodes}
    script = "\n".join(explain(ready.plan, ready.seen, logins)) + "\n"
    said = subprocess.run(
        ["bash", "-n"], input=script.encode("utf-8", "surrogatepass"), capture_output=True, timeout=20
    )
    assert (said.returncode, said.stderr) == (0, b"")
    ran = commands(script)
    assert {argv[0] for argv in ran} <= {"openstack", "ssh", "set", "for", "done"}
    users = {argv[argv.index("-l") + 1] for argv in ran if argv[0] == "ssh"}
    assert users == {user}
    created = next(argv for argv in ran if argv[:3] == ["openstack", "port", "create"])
    description = created[created.index("--description") + 1]
    assert description.startswith("haos/1 n=web ")
    assert created[created.index("--network") + 1] == NETWORK


def commands(script: str) -> list[list[str]]:
    """Parse a script back to argument lists: here-documents are left out, and so is "name=$(", ")"."""
    found, rest = [], script.split("\n")
    while rest:
        line = rest.pop(0)
        if line.startswith("#"):
            continue
        while (words := _words(line)) is None:  # a quoted word goes on in the next line
            line += "\n" + rest.pop(0)
        if words and words[-1].startswith("<<"):
            end = words.pop().removeprefix("<<")
            del rest[: rest.index(end) + 1]
        found.append(words)
    return [words for words in found if words]


def _words(line: str) -> list[str] | None:
    kept = re.match(r"\w+=\$\(", line)
    try:
        return shlex.split(line[kept.end() :].removesuffix(")") if kept else line)
    except ValueError:
        return None
