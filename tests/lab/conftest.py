"""Labs for all tests that need real instances: one for each kind of fabric, made when first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import pytest

from haos.lab import control, requirements
from haos.lab.control import LabStatus
from tests.lab.main_job import NODES, cloud, eventually, neutron_state, node_state

LONGEST = [
    f"test_{what}.py"
    for what in (
        "crash_teardown", "drift", "crash_create", "modes", "failover", "races", "main_job", "secrets",
        "by_hand", "switchover", "replace_node", "neighbours",
    )
]  # fmt: skip
"""Files of more than a minute, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: with --dist loadfile, a long one at the end is one that a worker waits for."""
    place = {name: index for index, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)) if "lab" in item.path.parts else len(LONGEST))


@pytest.fixture(scope="session")
def lab_machine() -> None:
    """Skip where no lab can run, saying what is missing; in CI that is a failure."""
    try:
        requirements.check()
    except requirements.LabError as error:
        reason = f"{error} ({error.hint})" if error.hint else str(error)
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@contextmanager
def running(fabric: str) -> Iterator[LabStatus]:
    """Have a lab with a kind of fabric, and take it down again."""
    name = f"test-{fabric}-{os.getpid()}"
    try:
        yield control.up(name, fabric=fabric)
    finally:
        control.down(name)


@pytest.fixture(scope="session")
def lab(lab_machine: None) -> Iterator[LabStatus]:
    """The session's lab, of the default fabric, as it was when it came up."""
    with running("ovs") as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def left_as_found(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a module that leaves something in the session's lab: in which order others come after it is chance.

    Networks of its own may stay, with what is on them: nothing takes them for the lab's.
    """
    shared = {"lab_name", "lab_with"}
    here = [item for item in request.session.items if item.path == request.path]
    if not any(shared.intersection(getattr(item, "fixturenames", ())) for item in here):
        yield
        return
    name = request.getfixturevalue("lab_name")

    def state() -> object:
        neutron = neutron_state(name)
        [ha_lab] = cloud(name).network.networks(name="ha_lab")
        ports = {key: port for key, port in neutron["ports"].items() if port["network_id"] == ha_lab.id}
        return ports, neutron["groups"], {node: node_state(name, node) for node in (*NODES, "observer")}

    before = state()
    yield
    eventually(lambda: state() == before)
    assert state() == before, f"{request.path.name} has left something behind"


@pytest.fixture(scope="module")
def lab_with(lab_machine: None, lab: LabStatus) -> Iterator[Callable[[str], LabStatus]]:
    """Give a lab with a kind of fabric: `lab_with("learning")`. All but the session's own go down with the module.

    Not later: root may have 128 inotify instances (fs.inotify.max_user_instances), and each instance takes seven.
    """
    with ExitStack() as stack:
        yield cache(lambda fabric: lab if fabric == "ovs" else stack.enter_context(running(fabric)))


@pytest.fixture(scope="session")
def lab_name(lab: LabStatus) -> str:
    """The name of the running lab."""
    return lab.name


@pytest.fixture(scope="module")
def own_lab(lab_machine: None) -> Iterator[str]:
    """The name of a lab of the module's own: nothing in it is from other tests, and it may be broken."""
    name = f"test-own-{os.getpid()}"
    try:
        yield control.up(name).name
    finally:
        control.down(name)
