"""Nova and Glance: flavors, images, limits and zones, as clients look them up."""

from __future__ import annotations

import pytest

from tests.contract.client import Client
from tests.contract.servers import Pair, flavor_id, image_id

OLD_FLAVOR = {
    "OS-FLV-DISABLED:disabled",
    "OS-FLV-EXT-DATA:ephemeral",
    "disk",
    "id",
    "links",
    "name",
    "os-flavor-access:is_public",
    "ram",
    "rxtx_factor",
    "swap",
    "vcpus",
}
LIMITS = {"cores", "id", "instances", "key_pairs", "metadata_items", "ram", "server_group_members", "server_groups"}
FILES = {"injected_file_content_bytes", "injected_file_path_bytes", "injected_files"}
NETWORK = {"fixed_ips", "floating_ips", "security_group_rules", "security_groups"}
ABSOLUTE = {
    "maxServerGroupMembers",
    "maxServerGroups",
    "maxServerMeta",
    "maxTotalCores",
    "maxTotalInstances",
    "maxTotalKeypairs",
    "maxTotalRAMSize",
    "totalCoresUsed",
    "totalInstancesUsed",
    "totalRAMUsed",
    "totalServerGroupsUsed",
}
OF_FILES = {"maxImageMeta", "maxPersonality", "maxPersonalitySize"}
OF_NETWORK = {
    "maxSecurityGroupRules",
    "maxSecurityGroups",
    "maxTotalFloatingIps",
    "totalFloatingIpsUsed",
    "totalSecurityGroupsUsed",
}


def at(version: str) -> dict[str, str]:
    return {"OpenStack_API_Version": f"compute {version}"}


@pytest.mark.parametrize(
    ("version", "more", "swap"),
    [
        ("2.1", set(), ""),
        ("2.55", {"description"}, ""),
        ("2.61", {"description", "extra_specs"}, ""),
        ("2.75", {"description", "extra_specs"}, 0),
    ],
)
def test_flavors(member: Client, version: str, more: set[str], swap: object) -> None:
    path = f"/flavors/{flavor_id(member)}"
    flavor = member.nova("GET", path, **at(version)).body["flavor"]
    assert flavor.keys() == OLD_FLAVOR | more
    assert (flavor["name"], flavor["swap"], flavor["rxtx_factor"]) == ("m1.tiny", swap, 1.0)
    assert flavor["links"][0]["href"] == member.endpoints["compute"] + path
    assert flavor in member.nova("GET", "/flavors/detail", **at(version)).body["flavors"]
    listed = {item["id"]: item for item in member.nova("GET", "/flavors", **at(version)).body["flavors"]}
    assert listed[flavor["id"]].keys() == {"id", "name", "links", *(more & {"description"})}
    assert member.nova("GET", f"{path}/os-extra_specs", **at(version)).body == {"extra_specs": {}}


@pytest.mark.parametrize("path", ["/flavors/nowhere", "/flavors/nowhere/os-extra_specs"])
def test_a_flavor_that_is_not_there(member: Client, path: str) -> None:
    assert member.nova("GET", path).fault == (404, "itemNotFound", "Flavor nowhere could not be found.")


def test_images(member: Client) -> None:
    where = f"{member.endpoints['image']}/v2/images"
    listed = member("GET", where).body
    assert {"first", "images", "schema"} <= listed.keys()
    shown = member("GET", f"{where}/{image_id(member)}").body
    assert (shown["status"], shown["visibility"]) == ("active", "public")
    assert shown["self"] == f"/v2/images/{shown['id']}"
    missing = member("GET", f"{where}/nowhere", Accept="application/json")
    assert (missing.status, missing.body["title"]) == (404, "Not Found")
    assert missing.body["message"].startswith("No image found with ID nowhere")


def test_discovery_of_images(member: Client) -> None:
    answer = member("GET", f"{member.endpoints['image']}/")
    assert answer.status == 300
    states = {version["id"]: version["status"] for version in answer.body["versions"]}
    assert [name for name, state in states.items() if state == "CURRENT"] == ["v2.17"]
    assert {"v2.0", "v2.15"} < states.keys()


@pytest.mark.parametrize(
    ("version", "quotas", "limits"),
    [
        ("2.1", LIMITS | FILES | NETWORK, ABSOLUTE | OF_FILES | OF_NETWORK),
        ("2.36", LIMITS | FILES, ABSOLUTE | OF_FILES),
        ("2.57", LIMITS, ABSOLUTE),
    ],
)
def test_limits_and_quotas(member: Client, pair: Pair, version: str, quotas: set[str], limits: set[str]) -> None:
    path = f"/os-quota-sets/{member.project_id}"
    absolute = member.nova("GET", "/limits", **at(version)).body["limits"]["absolute"]
    assert absolute.keys() == limits
    assert absolute["totalInstancesUsed"] >= 2
    quota = member.nova("GET", path, **at(version)).body["quota_set"]
    assert quota.keys() == quotas
    assert quota["instances"] == absolute["maxTotalInstances"]
    detail = member.nova("GET", f"{path}/detail", **at(version)).body["quota_set"]
    assert detail.keys() == quotas
    assert detail["instances"].keys() == {"in_use", "limit", "reserved"}


def test_what_is_not_told_to_everybody(member: Client, other: Client) -> None:
    text = "Policy doesn't allow os_compute_api:{} to be performed."
    refused = other.nova("GET", f"/os-quota-sets/{member.project_id}")
    assert refused.fault == (403, "forbidden", text.format("os-quota-sets:show"))
    zones = member.nova("GET", "/os-availability-zone").body["availabilityZoneInfo"]
    assert {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None} in zones
    refused = member.nova("GET", "/os-availability-zone/detail")
    assert refused.fault == (403, "forbidden", text.format("os-availability-zone:detail"))
