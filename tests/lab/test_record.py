"""A record that was edited, or is gone with its port, on real instances: refused, written anew, nobody else hit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from haos.core.record import port_code
from tests.lab.main_job import CREATE, NODES, cloud, eventually, haos, neutron_state, node_state, on
from tests.lab.refusals import only_reads, refused

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

EVERYBODY = (*NODES, "observer")
NAME = "ha_first-ha_second"
REBUILD = ("repair", NAME, "--rebuild-record", "--network", "ha_lab", "--nodes", ",".join(NODES))


def states(lab: str) -> dict[str, str]:
    return {node: node_state(lab, node) for node in EVERYBODY}


@dataclass(frozen=True)
class Made:
    lab: str
    neutron: dict[str, Any]
    nodes: dict[str, str]


@pytest.fixture(scope="module")
def made(lab_name: str) -> Iterator[Made]:
    """A pair; the last test has torn it down, if it was reached."""
    before = Made(lab_name, neutron_state(lab_name), states(lab_name))
    haos(lab_name, *CREATE, "--preempt-delay", "1", "--no-verify")
    active = f"ip -o address show to {vip(lab_name)}"
    assert eventually(lambda: on(lab_name, "ha_first", active) != "" and on(lab_name, "ha_second", active) == "")
    yield before
    haos(lab_name, *REBUILD, "--no-verify", code=None)
    haos(lab_name, "teardown", "--purge", code=None)


def reservation(lab: str) -> Any:
    [port] = cloud(lab).network.ports(device_owner="haos:vip")
    return port


def port_of(lab: str, name: str) -> str:
    server = cloud(lab).compute.find_server(name)
    return str(next(iter(cloud(lab).network.ports(device_id=server.id))).id)


@contextmanager
def edited(lab: str, old: str, new: str) -> Iterator[None]:
    """Have the record edited as anybody in the project can, and put back."""
    good = describe(lab, lambda text: text.replace(old, new))
    try:
        yield
    finally:
        assert describe(lab, lambda _: good) != good


def describe(lab: str, edit: Callable[[str], str]) -> str:
    """Edit the record; return what it was."""
    port = reservation(lab)
    text = str(port.description)
    cloud(lab).network.update_port(port.id, description=edit(text))
    return text


def troubles(lab: str) -> dict[str, str]:
    """Return what status says, code -> what helps."""
    shown = json.loads(haos(lab, "status", "-f", "json", code=None).stdout)
    return {trouble["code"]: trouble["remedy"] for trouble in shown["Troubles"]}


def healthy(lab: str) -> bool:
    haos(lab, "status")
    return on(lab, "observer", f"ping -c 1 -W 2 {vip(lab)} >/dev/null && echo answered").strip() == "answered"


def vip(lab: str) -> str:
    return str(reservation(lab).fixed_ips[0]["ip_address"])


def test_other_settings_than_the_nodes_have_are_refused(made: Made) -> None:
    before = states(made.lab)
    with edited(made.lab, " a=300 ", " a=40950 "):
        with only_reads(made.lab):
            for argv in (CREATE, ("repair",), ("switchover",)):
                said = refused(made.lab, 5, *argv)
                assert "interval 0.3 s, preempt delay 1 s there, interval 40.95 s" in said.reason
                assert said.hint.startswith(f"haos repair {NAME} --rebuild-record --network ")
            assert troubles(made.lab)["record"].startswith("haos repair")
        assert states(made.lab) == before


def test_the_observer_put_in_as_a_node_is_left_alone(made: Made) -> None:
    before = states(made.lab)
    assert before["observer"] == made.nodes["observer"]
    codes = [port_code(port_of(made.lab, name)) for name in ("ha_second", "observer")]
    with edited(made.lab, *codes):
        with only_reads(made.lab):
            for argv in (("repair",), ("failover-test", "--observer", "ha_second"), ("teardown", "--force")):
                said = refused(made.lab, 5, *argv)
                assert "the nodes are ha_first and " in said.reason
            assert "record" in troubles(made.lab)
        assert states(made.lab) == before


def test_what_is_no_record_is_refused_and_written_anew(made: Made) -> None:
    before = states(made.lab)
    good = describe(made.lab, lambda _: "garbage; $(reboot)\n\N{SNOWMAN}")
    with only_reads(made.lab):
        for argv in (("status",), CREATE, ("teardown",)):
            said = refused(made.lab, 5, *argv)
            assert "cannot be trusted" in said.reason
            assert said.hint.startswith(f"haos repair {NAME} --rebuild-record --network ")
    haos(made.lab, *REBUILD)
    assert reservation(made.lab).description == good
    assert states(made.lab) == before
    assert healthy(made.lab)


def test_a_port_that_was_deleted_is_made_again_and_nothing_is_left_in_the_end(made: Made) -> None:
    lost, before = reservation(made.lab), states(made.lab)
    cloud(made.lab).network.delete_port(lost.id)
    with only_reads(made.lab):
        said = refused(made.lab, 5, *CREATE)
        assert "its reservation port is gone" in said.reason
        assert refused(made.lab, 1, "status", NAME).hint.endswith(f"haos repair {NAME} --rebuild-record "
                                                                 "--network NETWORK --nodes A,B")  # fmt: skip
    haos(made.lab, *REBUILD)
    found = reservation(made.lab)
    assert (found.fixed_ips, found.mac_address, found.name, found.description) == (
        lost.fixed_ips,
        lost.mac_address,
        lost.name,
        lost.description,
    )
    assert states(made.lab) == before
    assert healthy(made.lab)
    haos(made.lab, "teardown", "--purge")
    assert neutron_state(made.lab) == made.neutron
    assert states(made.lab) == made.nodes
