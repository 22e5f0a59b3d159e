"""What a list of servers is asked for: filters, order and pages, as Nova has them of MySQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import urlencode

from haos.lab.api.compute_records import FLAVOR
from haos.lab.api.errors import ApiError
from haos.lab.api.listing import TAG_FILTERS, tags_match
from haos.lab.api.microversions import Version
from haos.lab.api.routing import Doc

MAX_LIMIT = 1000  # nova.conf: api/max_limit
FIRST_WITH_TAGS = (2, 26)
"""Older versions do not know tags and take no notice of such a filter."""
_SORT_KEYS = """
access_ip_v4 access_ip_v6 auto_disk_config availability_zone config_drive created_at display_description display_name
host hostname image_ref instance_type_id kernel_id key_name launch_index launched_at locked_by node power_state
progress project_id ramdisk_id root_device_name task_state terminated_at updated_at user_id uuid vm_state architecture
cell_name cleaned default_ephemeral_device default_swap_device deleted deleted_at disable_terminate ephemeral_gb
ephemeral_key_uuid id key_data launched_on locked memory_mb os_type reservation_id root_gb shutdown_terminate
user_data vcpus vm_mode
"""
SORT_KEYS = _SORT_KEYS.split()
OWN_NAMES = {"created_at": "created", "updated_at": "updated", "display_name": "name", "uuid": "id"}
TRUE, FALSE = ("1", "on", "t", "true", "y", "yes", ""), ("0", "f", "false", "n", "no", "off")

Query = Mapping[str, str]


def checked(query: Query) -> Query:
    """Return the query, or raise 400 for what Nova's schema refuses."""
    for key in ("name", "ip", "ip6"):
        if key in query and not _is_pattern(query[key]):
            raise _invalid(key, query[key], f"'{query[key]}' is not a 'regex'")
    limit, sort_key = query.get("limit", "1"), query.get("sort_key", "uuid")
    if not re.fullmatch("[0-9]*", limit):
        raise _invalid("limit", limit, f"'{limit}' does not match '^[0-9]*$'")
    if sort_key not in SORT_KEYS:
        raise _invalid("sort_key", sort_key, f"'{sort_key}' is not one of {SORT_KEYS}")
    if query.get("sort_dir", "asc") not in ("asc", "desc"):
        raise ApiError(400, "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'")
    return query


def everybodys(query: Query) -> bool:
    """Say whether the servers of all projects are asked for."""
    text = query.get("all_tenants", query.get("all_projects", "0"))
    if text.lower() in (*TRUE, *FALSE):
        return text.lower() in TRUE
    known = ", ".join(f"'{value}'" for value in sorted({*TRUE, *FALSE} - {""}))
    raise ApiError(400, f"Unrecognized value '{text}', acceptable values are: {known}")


def passes(server: Doc, status: str, addresses: Callable[[], Iterable[str]], query: Query, version: Version) -> bool:
    """Say whether a server is meant."""
    if "name" in query and not _found(query["name"], server["name"]):
        return False
    if "status" in query and status != query["status"].upper():
        return False
    if "flavor" in query and query["flavor"] != FLAVOR["id"]:
        return False
    if any(key in query and not any(_found(query[key], text) for text in addresses()) for key in ("ip", "ip6")):
        return False
    if version < FIRST_WITH_TAGS:
        return True
    return all(tags_match(server["tags"], key, [query[key]]) for key in TAG_FILTERS if key in query)


def ordered(servers: Sequence[Doc], query: Query) -> list[Doc]:
    """Sort: the newest first, if nothing else is asked for."""
    key = OWN_NAMES.get(query.get("sort_key", "created_at"), "created")
    down = query.get("sort_dir", "desc") == "desc"
    # The store has the oldest first; that is what tells those of one second apart.
    return sorted(reversed(servers) if down else servers, key=lambda server: str(server[key]), reverse=down)


def page(servers: list[Doc], query: Query, url: str) -> tuple[list[Doc], list[Doc]]:
    """Return one page and the links to the next."""
    limit = min(int(query.get("limit") or MAX_LIMIT), MAX_LIMIT)
    start = 0
    if "marker" in query:
        ids = [server["id"] for server in servers]
        if query["marker"] not in ids:
            raise ApiError(400, f"marker [{query['marker']}] not found")
        start = ids.index(query["marker"]) + 1
    cut = servers[start : start + limit]
    if not cut or len(cut) < limit:
        return cut, []
    kept = {key: query[key] for key in sorted(query) if key != "marker"}
    return cut, [{"rel": "next", "href": f"{url}?{urlencode({**kept, 'marker': cut[-1]['id']})}"}]


def _found(pattern: str, text: str) -> bool:
    # On MySQL and MariaDB Nova escapes every "|" of such a filter: alternatives find nothing. Case does not count.
    return re.search(pattern.replace("|", r"\|"), text, re.IGNORECASE) is not None


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return bool(text)


def _invalid(parameter: str, value: str, why: str) -> ApiError:
    return ApiError(400, f"Invalid input for query parameters {parameter}. Value: {value}. {why}")
