"""Ports: what the lab promises beyond the contract."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.lab.api.conftest import FIRST_PORT, Answer, Client, Login


def put(client: Client, port_id: str = FIRST_PORT, if_match: str = "", **values: Any) -> Answer:
    headers = {"If_Match": if_match} if if_match else {}
    return client.neutron("PUT", f"/ports/{port_id}", {"port": values}, **headers)


def test_of_many_with_the_same_revision_one_wins(login: Login) -> None:
    """Real Neutron may let several pass that arrive at the same time; a lab is the stricter one."""
    clients = [login("demo") for _ in range(6)]
    with ThreadPoolExecutor(len(clients)) as pool:
        swaps = [
            pool.submit(put, client, if_match="revision_number=1", name=f"n{n}") for n, client in enumerate(clients)
        ]
        statuses = sorted(swap.result(timeout=10).status for swap in swaps)
    assert statuses == [200, 412, 412, 412, 412, 412]
