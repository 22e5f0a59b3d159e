"""Pages as pure functions; what lists answer is in tests/contract."""

from __future__ import annotations

from haos.lab.api.listing import page


def test_page_keeps_the_other_filters() -> None:
    docs = [{"id": str(number)} for number in range(3)]
    cut, links = page(docs, [("limit", "2"), ("name", "a b")], "http://x/ports")
    assert cut == docs[:2]
    assert links[0]["href"] == "http://x/ports?limit=2&name=a+b&marker=1"
