"""What others, readers and members see and do of the lab's servers. Neutron's policies are in tests/contract."""

from __future__ import annotations

from tests.lab.api.conftest import FIRST, FIRST_PORT, Client, Login


def test_what_others_have_is_not_there(login: Login) -> None:
    other = login("other")
    assert other.nova("GET", "/servers").body["servers"] == []
    assert other.nova("GET", f"/servers/{FIRST}").body["itemNotFound"]["code"] == 404


def test_a_reader_does_not_stop_servers(login: Login) -> None:
    stop = login("reader").nova("POST", f"/servers/{FIRST}/action", {"os-stop": None})
    assert stop.body["forbidden"]["code"] == 403


def test_where_a_port_is_bound(demo: Client, login: Login) -> None:
    assert not [name for name in demo.neutron("GET", f"/ports/{FIRST_PORT}").body["port"] if name.startswith("_")]
    everything = login("admin").neutron("GET", f"/ports/{FIRST_PORT}").body["port"]
    assert everything["binding:host_id"] == "lab-host-1"
    assert everything["binding:vif_type"] == "ovs"
