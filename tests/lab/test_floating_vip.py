"""A floating IP of a pair on real instances: it leads to the Active node, also after a failover, and is undone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from haos.lab import control
from haos.lab.files import LOGIN
from haos.lab.paths import LabPaths
from tests.lab.main_job import (
    CREATE,
    NODES,
    by_id,
    cloud,
    eventually,
    haos,
    neutron_state,
    node_state,
    on,
    requests_of,
)

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]


def state_of(lab: str) -> dict[str, Any]:
    return {**neutron_state(lab), "floating": by_id(cloud(lab).network.ips())}


def led_to(lab: str, address: str) -> str:
    """Log in by a floating IP as a client outside does, who knows no node; return the name of whoever answers."""
    trusting = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5")
    argv = ("ssh", "-F", str(LabPaths(lab).ssh_config), *trusting, f"{LOGIN}@{address}", "--", "hostname | tr - _")
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30).stdout.strip()


def counted(lab: str, *argv: str) -> tuple[str, list[str]]:
    """Run haos; return what it printed and the requests that it made."""
    control.lab_request(lab, "POST", "/lab/requests/reset")
    return haos(lab, *argv).stdout, requests_of(lab)


@dataclass(frozen=True)
class Made:
    lab: str
    address: str
    requests: tuple[str, ...]
    before: object


@pytest.fixture(scope="module")
def made(lab_name: str) -> Iterator[Made]:
    """A pair with a floating IP that haos made; the last test has torn it down, if it was reached."""
    before = state_of(lab_name), [node_state(lab_name, node) for node in NODES]
    output, requests = counted(lab_name, *CREATE, "--floating-ip")
    found = re.search(r"^Floating IP (\S+) is associated with 10\.200\.51\.", output, re.MULTILINE)
    assert found, output
    yield Made(lab_name, found[1], tuple(requests), before)
    haos(lab_name, "teardown", "--purge", code=None)


def test_it_keeps_to_the_budget_of_requests(made: Made) -> None:
    assert len(made.requests) <= 23 + 2, "\n".join(made.requests)  # the router, and the floating IP itself
    for argv in (CREATE, (*CREATE, "--floating-ip"), (*CREATE, "--floating-ip", "public")):
        output, again = counted(made.lab, *argv)
        assert "Nothing to change." in output
        assert f"Floating IP {made.address} is associated with" in output
        assert len(again) <= 12, "\n".join(again)
        assert [one for one in again if not one.startswith("GET")] == ["POST /identity/v3/auth/tokens"]


def test_it_leads_to_the_active_node_before_a_failover_and_after(made: Made) -> None:
    assert eventually(lambda: led_to(made.lab, made.address) == "ha_first")
    on(made.lab, "ha_first", "sudo systemctl stop keepalived")
    try:
        assert eventually(lambda: led_to(made.lab, made.address) == "ha_second")
    finally:
        on(made.lab, "ha_first", "sudo systemctl start keepalived")
    assert eventually(lambda: led_to(made.lab, made.address) == "ha_first", 30.0)


def test_it_is_shown_and_what_became_of_it_is_named_and_mended(made: Made) -> None:
    [listed] = json.loads(haos(made.lab, "list", "-f", "json").stdout)
    assert listed["Floating IPs"] == [made.address]
    assert f"Floating IP {made.address}: associated with" in haos(made.lab, "status").stdout
    network = cloud(made.lab).network
    network.update_ip(network.find_ip(made.address), port_id=None)
    status = json.loads(haos(made.lab, "status", "-f", "json", code=4).stdout)
    [trouble] = [one for one in status["Troubles"] if one["code"] == "floating-ip"]
    assert trouble["reason"] == f"its floating IP {made.address} is associated with nothing by now"
    haos(made.lab, *trouble["remedy"].split()[1:])
    assert eventually(lambda: led_to(made.lab, made.address) == "ha_first")


def test_one_that_serves_an_instance_is_never_taken(made: Made) -> None:
    before = state_of(made.lab)
    of_observer = next(
        ip.floating_ip_address for ip in cloud(made.lab).network.ips() if ip.floating_ip_address != made.address
    )
    ended = haos(made.lab, *CREATE, "--name", "web", "--floating-ip", of_observer, code=5)
    assert f"hint: openstack floating ip unset --port {of_observer}" in ended.stderr
    assert state_of(made.lab) == before


def test_teardown_deletes_it(made: Made) -> None:
    haos(made.lab, "teardown", "--purge")
    assert (state_of(made.lab), [node_state(made.lab, node) for node in NODES]) == made.before
    assert led_to(made.lab, made.address) == ""


def test_one_of_the_project_is_taken_and_given_back(made: Made) -> None:
    network = cloud(made.lab).network
    public = network.find_network("public")
    spare = network.create_ip(floating_network_id=public.id, description="of the shop")
    try:
        before = state_of(made.lab)
        address = spare.floating_ip_address
        haos(made.lab, *CREATE, "--no-verify", "--floating-ip", address)
        assert eventually(lambda: led_to(made.lab, address) in NODES)
        assert "which stays the project's" in haos(made.lab, "teardown", "--purge").stdout
        assert state_of(made.lab) == before
    finally:
        network.delete_ip(spare.id)
