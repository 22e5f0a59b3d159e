"""Filters, order, pages and fields of a Neutron list: pure functions over documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from haos.lab.api.attributes import boolean, is_mac, plain_mac
from haos.lab.api.errors import bad, neutron
from haos.lab.api.routing import Doc

Query = Sequence[tuple[str, str]]

CONTROLS = frozenset({"limit", "marker", "page_reverse", "sort_key", "sort_dir", "fields"})
TAG_FILTERS = frozenset({"tags", "tags-any", "not-tags", "not-tags-any"})
NAMED = frozenset({"name"})
COMMON_FILTERS = frozenset({"id", "project_id", "tenant_id", "description", "revision_number"})
COMMON_SORT_KEYS = frozenset({"id", "project_id", "tenant_id"})
FIXED_IP_KEYS = ("ip_address", "subnet_id", "ip_address_substr")


def grouped(query: Query) -> dict[str, list[str]]:
    """Collect the values of every filter; what steers the list is left out."""
    filters: dict[str, list[str]] = {}
    for key, value in query:
        if key not in CONTROLS:
            filters.setdefault(key, []).append(value)
    return filters


def check_filters(filters: Iterable[str], allowed: frozenset[str]) -> None:
    """Refuse a filter that the resource does not know, as Neutron's filter validation does."""
    unknown = [key for key in filters if key not in allowed]
    if unknown:
        raise bad(f"{unknown} is invalid attribute for filtering")


def matches(doc: Doc, filters: dict[str, list[str]]) -> bool:
    """Say whether a document passes every filter; repeated values of one filter are alternatives."""
    return all(_passes(doc, key, values) for key, values in filters.items())


def _passes(doc: Doc, key: str, values: list[str]) -> bool:
    if key in TAG_FILTERS:
        return tags_match(doc.get("tags", ()), key, values)
    if key == "fixed_ips":
        return _fixed_ips_match(doc["fixed_ips"], values)
    if key == "security_groups":
        return bool(set(doc["security_groups"]) & set(values))
    return any(_equal(key, doc.get(key), value) for value in values)


def _equal(key: str, own: Any, wanted: str) -> bool:
    """Compare as the database does: text without regard to case, and nothing equals what is not there."""
    if isinstance(own, bool):
        return boolean(key, wanted) is own
    if key == "mac_address":
        return is_mac(wanted) and plain_mac(own) == plain_mac(wanted)
    return own is not None and str(own).lower() == wanted.lower()


def tags_match(tags: Iterable[str], key: str, values: Iterable[str]) -> bool:
    """Apply one of the four tag filters; values are comma-separated."""
    wanted = {tag for value in values for tag in value.split(",") if tag}
    own = set(tags)
    found = bool(own & wanted) if key.endswith("any") else bool(wanted) and wanted <= own
    return not found if key.startswith("not-") else found


def _fixed_ips_match(fixed_ips: list[Doc], values: list[str]) -> bool:
    wanted: dict[str, list[str]] = {}
    for value in values:
        name, separator, content = value.partition("=")
        if not separator:
            raise neutron("InvalidInput", error_message=f"'{value}' is not of the form <key>=[value]")
        if name in FIXED_IP_KEYS:
            wanted.setdefault(name, []).append(content)
    return any(all(_fixed_ip_passes(ip, name, contents) for name, contents in wanted.items()) for ip in fixed_ips)


def _fixed_ip_passes(fixed_ip: Doc, name: str, contents: list[str]) -> bool:
    if name == "ip_address_substr":
        return any(content in fixed_ip["ip_address"] for content in contents)
    return fixed_ip[name] in contents


def ordered(docs: list[Doc], query: Query, sort_keys: frozenset[str]) -> list[Doc]:
    """Sort by the keys asked for, by id at last."""
    keys = [value for name, value in query if name == "sort_key" and value]
    directions = [value for name, value in query if name == "sort_dir" and value]
    if len(keys) != len(directions):
        raise bad("The number of sort_keys and sort_dirs must be same")
    unknown = [key for key in keys if key not in sort_keys]
    if unknown:
        raise bad(f"{unknown} is invalid attribute for sort_keys")
    docs = sorted(docs, key=lambda doc: str(doc["id"]))
    for key, direction in reversed(list(zip(keys, directions, strict=True))):
        if direction not in ("asc", "desc"):
            raise bad(f"['{direction}'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
        docs.sort(key=lambda doc: (doc.get(key) is not None, doc.get(key)), reverse=direction == "desc")
    return docs


def page(docs: list[Doc], query: Query, url: str) -> tuple[list[Doc], list[Doc]]:
    """Cut out the page asked for; return it and its links (none if no limit was given)."""
    last = dict(query)
    limit = _limit(last.get("limit", "0"))
    back = last.get("page_reverse", "").lower() == "true"
    if not limit:
        return docs[::-1] if back else docs, []
    marker = last.get("marker")
    ids = [doc["id"] for doc in docs]
    if marker and marker not in ids:
        return [], []
    if back:
        end = ids.index(marker) if marker else len(docs)
        cut = docs[max(end - limit, 0) : end]
    else:
        start = ids.index(marker) + 1 if marker else 0
        cut = docs[start : start + limit]
    return cut, _links(cut, query, url, full=len(cut) >= limit, back=back)


def _limit(text: str) -> int:
    if not text.isdecimal():
        raise neutron("BadRequest", resource="limit", msg=f"Limit must be an integer 0 or greater and not '{text}'")
    return int(text)


def _links(cut: list[Doc], query: Query, url: str, *, full: bool, back: bool) -> list[Doc]:
    kept = [(key, value) for key, value in query if key not in ("marker", "page_reverse")]
    links: list[Doc] = []
    if full or back:
        marker = [("marker", cut[-1]["id"])] if cut else []
        links.append({"rel": "next", "href": f"{url}?{urlencode(kept + marker)}"})
    if full or not back:
        marker = [("marker", cut[0]["id"])] if cut else []
        links.append({"rel": "previous", "href": f"{url}?{urlencode([*kept, *marker, ('page_reverse', 'True')])}"})
    return links


def picked(doc: Doc, query: Query) -> Doc:
    """Leave only the fields asked for, all if there is no word of fields."""
    fields = {value for key, value in query if key == "fields"}
    return {key: value for key, value in doc.items() if not fields or key in fields}
