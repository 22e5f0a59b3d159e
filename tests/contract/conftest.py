"""The contract: each statement is made of the lab's API and of real OpenStack, by the same test.

    pytest tests/contract -m "not openstack"                    # the lab's side: quick
    OS_CLIENT_CONFIG_FILE=clouds.yaml pytest tests/contract     # both, against a cloud of your own

The clouds.yaml names four clouds, of the same OpenStack: haos-openstack (an ordinary member of a project),
haos-openstack-reader (a reader of the same project), haos-openstack-other (a member of another project) and
haos-openstack-admin. Other names with the same suffixes: HAOS_CONTRACT_CLOUD. `python -m tests.openstack run` makes
such an OpenStack. All that a test needs it makes through the ordinary API, and removes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.contract.client import Client
from tests.contract.places import Network, made_network, make_port, remove_port
from tests.contract.servers import Pair, made_pair
from tests.contract.side import Side, lab_side, openstack_side
from tests.contract.things import Things, listed


@pytest.fixture(
    scope="session",
    params=["lab", pytest.param("openstack", marks=(pytest.mark.openstack, pytest.mark.timeout(300)))],
)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """One of the two; the real one is skipped where there is none, in CI that is a failure."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(lab_side() if request.param == "lab" else openstack_side())
        except LookupError as error:
            reason = f"{error} (see python -m tests.openstack)"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)


@pytest.fixture(scope="session")
def member(side: Side) -> Client:
    """An ordinary member of a project."""
    return side.login("member")


@pytest.fixture(scope="session")
def reader(side: Side) -> Client:
    """Somebody who may only read, in the member's project."""
    return side.login("reader")


@pytest.fixture(scope="session")
def other(side: Side) -> Client:
    """A member of another project."""
    return side.login("other")


@pytest.fixture(scope="session")
def admin(side: Side) -> Client:
    """The cloud's admin."""
    return side.login("admin")


@pytest.fixture(scope="module")
def network(member: Client, admin: Client) -> Iterator[Network]:
    """The member's network with one subnet, for all tests of a module: each with addresses of its own, or any."""
    with made_network(member, admin) as made:
        yield made


@pytest.fixture
def fresh_network(member: Client, admin: Client) -> Iterator[Network]:
    """A network like it for one test alone."""
    with made_network(member, admin) as made:
        yield made


@pytest.fixture
def port(member: Client, network: Network) -> Iterator[str]:
    """The id of the member's new port, for one test alone."""
    port_id = make_port(member, network).body["port"]["id"]
    yield port_id
    remove_port(member, port_id)


@pytest.fixture
def things(admin: Client) -> Iterator[Things]:
    """A hand that makes things and removes them at the end of the test."""
    made = Things(admin)
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_things(admin: Client) -> Iterator[Things]:
    """A hand that makes things and removes them when the module's tests are done."""
    made = Things(admin)
    yield made
    made.close()


@pytest.fixture(scope="session")
def public(member: Client) -> str:
    """The id of the external network."""
    [network] = listed(member, "networks", "router:external=true")
    return str(network["id"])


@pytest.fixture(scope="session")
def pair(member: Client, admin: Client) -> Iterator[Pair]:
    """Two servers for all tests; whoever changes one puts it back."""
    with made_pair(member, admin) as made:
        yield made
