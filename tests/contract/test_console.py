"""Nova: the console log, from which haos reads the host keys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Answer, Client
from tests.contract.servers import Pair, act

WORD = "os-getConsoleOutput"


def ask(client: Client, pair: Pair, options: Any) -> Answer:
    return act(client, pair.first, {WORD: options})


@pytest.fixture
def whole(member: Client, pair: Pair) -> str:
    answer = ask(member, pair, {})
    assert answer.status == 200
    assert answer.body.keys() == {"output"}
    return str(answer.body["output"])


def test_a_log_of_several_lines(whole: str) -> None:
    assert len(whole.split("\n")) > 2


@pytest.mark.parametrize("length", [None, 1000])
def test_the_whole_log(member: Client, pair: Pair, whole: str, length: int | None) -> None:
    assert ask(member, pair, {"length": length}).body == {"output": whole}


@pytest.mark.parametrize("length", [1, 2, "2"])
def test_the_last_lines(member: Client, pair: Pair, whole: str, length: int | str) -> None:
    lines = whole.split("\n")[-int(length) :]
    assert ask(member, pair, {"length": length}).body == {"output": "\n".join(lines)}


def test_no_lines_and_all_but_one(member: Client, pair: Pair, whole: str) -> None:
    assert ask(member, pair, {"length": 0}).body == {"output": ""}
    assert ask(member, pair, {"length": -1}).body == {"output": whole.partition("\n")[2]}  # meant as: no limit


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"length": -2}, "length. Value: -2. -2 is less than the minimum of -1"),
        ({"length": "x"}, "length. Value: x. 'x' does not match '^-?[0-9]+$'"),
        (None, f"{WORD}. Value: None. None is not of type 'object'"),
        (
            {"lines": 1},
            f"{WORD}. Value: {{'lines': 1}}. Additional properties are not allowed ('lines' was unexpected)",
        ),
    ],
)
def test_what_is_no_length(member: Client, pair: Pair, options: Any, text: str) -> None:
    refused = ask(member, pair, options)
    assert refused.fault == (400, "badRequest", f"Invalid input for field/attribute {text}")
