"""Allowed address pairs by Neutron's rules: replaced as a whole, kept as sent."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

from haos.lab.api.attributes import is_mac
from haos.lab.api.errors import bad, invalid, neutron
from haos.lab.api.routing import Doc

MAX_PAIRS = 10  # neutron.conf: max_allowed_address_pair


def check_pairs(name: str, value: object) -> list[Doc]:
    """Check what was sent as allowed_address_pairs; null is the empty list."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad("Allowed address pairs must be a list.")
    if len(value) > MAX_PAIRS:
        raise neutron("AllowedAddressPairExhausted", quota=MAX_PAIRS)
    seen: set[tuple[object, object]] = set()
    for item in value:
        _check_pair(item, seen)
    return value


def _check_pair(item: object, seen: set[tuple[object, object]]) -> None:
    if not isinstance(item, dict):
        raise invalid("allowed_address_pairs", f"'{item}' is not a dictionary")
    mac = item.get("mac_address")
    if "mac_address" in item and not is_mac(mac):
        raise bad(f"'{mac}' is not a valid MAC address")
    if "ip_address" not in item:
        raise neutron("AllowedAddressPairsMissingIP")
    if (mac, item["ip_address"]) in seen:
        raise neutron("DuplicateAddressPairInRequest", mac_address=mac, ip_address=item["ip_address"])
    seen.add((mac, item["ip_address"]))
    unknown = set(item) - {"ip_address", "mac_address"}
    if unknown:
        raise bad(f"Unrecognized attribute(s) '{', '.join(sorted(unknown))}'")
    text = str(item["ip_address"])
    try:
        ip_interface(text) if "/" in text else ip_address(text)
    except ValueError:
        what = "IP subnet" if "/" in text else "IP address"
        raise bad(f"'{text}' is not a valid {what}") from None


def resolve_pairs(pairs: list[Doc], port_mac: str) -> list[Doc]:
    """Fill in the port's own MAC where none was sent, refuse what is then there twice, and sort as the database."""
    resolved = [
        {"mac_address": pair.get("mac_address", port_mac), "ip_address": pair["ip_address"]} for pair in pairs
    ]
    seen: set[tuple[str, str]] = set()
    for pair in resolved:
        key = (pair["mac_address"].lower(), pair["ip_address"])
        if key in seen:
            raise neutron("DuplicateAddressPairInRequest", **pair)
        seen.add(key)
    return sorted(resolved, key=lambda pair: (pair["mac_address"].lower(), pair["ip_address"]))
