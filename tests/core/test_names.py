"""Pair names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core import names
from haos.errors import UsageError


def test_default_name_does_not_depend_on_the_order() -> None:
    assert names.default_name(["ha_second", "ha_first"]) == "ha_first-ha_second"


def test_odd_names_are_slugged() -> None:
    assert names.default_name(["a b;$(touch /tmp/x)'\"", "Zoë"]) == "Zoe-a-b-touch-tmp-x"


@given(st.lists(st.text(min_size=1), min_size=2, max_size=5))
def test_a_default_name_is_always_legal_or_refused(node_names: list[str]) -> None:
    try:
        name = names.default_name(node_names)
    except UsageError:
        assert not any(names.slug(node) for node in node_names)
        return
    assert names.check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "a" * 42, "a b", "a/b", "ä", "a\n"])
def test_illegal_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        names.check_name(name)
