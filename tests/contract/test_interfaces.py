"""Nova: network cards that are plugged into a server and pulled out of it while it runs."""

from __future__ import annotations

from typing import Any

from tests.contract.client import Client
from tests.contract.places import Network, get_port, make_port
from tests.contract.servers import act, get_server, made_server
from tests.contract.waiting import until

NOWHERE = "a2fd42b0-0000-4000-8000-000000000000"


def attach(client: Client, server_id: str, **values: Any) -> Any:
    return client.nova("POST", f"/servers/{server_id}/os-interface", {"interfaceAttachment": values})


def attached(client: Client, server_id: str) -> list[str]:
    listed = client.nova("GET", f"/servers/{server_id}/os-interface").body["interfaceAttachments"]
    return [one["port_id"] for one in listed]


def pulled(client: Client, server_id: str, port_id: str) -> None:
    """Pull a card, and wait until it is out."""
    assert client.nova("DELETE", f"/servers/{server_id}/os-interface/{port_id}").status == 202
    until(lambda: port_id not in attached(client, server_id))


def test_a_given_port_comes_and_goes(member: Client, network: Network) -> None:
    with made_server(member, network) as server_id:
        [first] = attached(member, server_id)
        given = make_port(member, network, name="given").body["port"]
        answer = attach(member, server_id, port_id=given["id"])
        assert answer.status == 200, answer
        port = get_port(member, given["id"])
        assert (port["device_id"], port["device_owner"], port["name"]) == (server_id, "compute:nova", "given")
        shown = answer.body["interfaceAttachment"]
        assert (shown["port_id"], shown["net_id"], shown["mac_addr"]) == (
            given["id"],
            network.id,
            port["mac_address"],
        )
        assert shown["fixed_ips"] == port["fixed_ips"]
        assert sorted(attached(member, server_id)) == sorted([first, given["id"]])
        assert len(get_server(member, server_id)["addresses"][network.name]) == 2

        gone = member.nova("DELETE", f"/servers/{server_id}/os-interface/{given['id']}")
        assert (gone.status, gone.body) == (202, None)
        until(lambda: attached(member, server_id) == [first])
        left = get_port(member, given["id"])
        assert (left["device_id"], left["device_owner"], left["status"]) == ("", "", "DOWN")


def test_a_port_of_novas_own_goes_for_good(member: Client, network: Network) -> None:
    with made_server(member, network) as server_id:
        [first] = attached(member, server_id)
        answer = attach(member, server_id, net_id=network.id, fixed_ips=[{"ip_address": "10.200.51.77"}])
        assert answer.status == 200, answer
        made = answer.body["interfaceAttachment"]
        assert [one["ip_address"] for one in made["fixed_ips"]] == ["10.200.51.77"]
        for port_id in (first, made["port_id"]):
            pulled(member, server_id, port_id)
            assert member.neutron("GET", f"/ports/{port_id}").status == 404
        until(lambda: get_server(member, server_id)["addresses"] == {})


def test_what_is_refused(member: Client, reader: Client, network: Network) -> None:
    with made_server(member, network) as server_id:
        [port_id] = attached(member, server_id)
        path = f"/servers/{server_id}/os-interface"
        text = f"Port {port_id} is still in use."
        assert attach(member, server_id, port_id=port_id).fault == (409, "conflictingRequest", text)
        text = f"Port id {NOWHERE} could not be found."
        assert attach(member, server_id, port_id=NOWHERE).fault == (404, "itemNotFound", text)
        text = "Must not input both network_id and port_id"
        both = attach(member, server_id, net_id=network.id, port_id=port_id)
        assert both.fault == (400, "badRequest", text)
        text = "Must input network_id when request IP address"
        alone = attach(member, server_id, fixed_ips=[{"ip_address": "10.200.51.78"}])
        assert alone.fault == (400, "badRequest", text)
        address = get_port(member, port_id)["fixed_ips"][0]["ip_address"]
        text = f"Fixed IP {address} is already in use."
        taken = attach(member, server_id, net_id=network.id, fixed_ips=[{"ip_address": address}])
        assert taken.fault == (409, "conflictingRequest", text)
        free = make_port(member, network).body["port"]
        for strange in (NOWHERE, free["id"]):  # nobody says that nothing comes of it
            assert member.nova("DELETE", f"{path}/{strange}").status == 202
        text = "Policy doesn't allow os_compute_api:os-attach-interfaces:create to be performed."
        assert attach(reader, server_id, net_id=network.id).fault == (403, "forbidden", text)
        text = "Policy doesn't allow os_compute_api:os-attach-interfaces:delete to be performed."
        assert reader.nova("DELETE", f"{path}/{port_id}").fault == (403, "forbidden", text)


def test_in_which_states(member: Client, network: Network) -> None:
    with made_server(member, network) as server_id:
        act(member, server_id, {"os-stop": None}, "SHUTOFF")
        made = attach(member, server_id, net_id=network.id)
        assert made.status == 200, made
        act(member, server_id, {"os-start": None}, "ACTIVE")
        act(member, server_id, {"pause": None}, "PAUSED")
        port_id = made.body["interfaceAttachment"]["port_id"]
        pulled(member, server_id, port_id)
