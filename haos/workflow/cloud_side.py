"""The faults that are made through the cloud's API: how each is made, undone, and seen to be undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from haos.core.intent import CloudFault
from haos.core.model import InstanceAction, Port
from haos.workflow.context import Cloud


@dataclass(frozen=True)
class CloudSide:
    """A fault on the instance behind a port of the pair; each part may be repeated.

    `inject` and `restore` return once the order is taken. `is_undone` is to be asked only after a `restore` that was
    taken: before, an instance that is about to stop still looks as one that runs. NotFoundError, where what the fault
    hits is gone.
    """

    fault: CloudFault  # by which it is announced
    inject: Callable[[Cloud, Port], None]
    restore: Callable[[Cloud, Port], None]
    is_undone: Callable[[Cloud, Port], bool]
    by_hand: Callable[[Port], tuple[str, ...]]  # the openstack command that undoes it


def _ordered(action: InstanceAction) -> Callable[[Cloud, Port], None]:
    return lambda cloud, port: cloud.instance_action(port.device_id, action)


def _runs(cloud: Cloud, port: Port) -> bool:
    instance = cloud.instances_by_id([port.device_id]).get(port.device_id)
    return instance is None or instance.status == InstanceAction.START.outcome


PORT_DOWN = CloudSide(
    CloudFault.PORT_DOWN,
    lambda cloud, port: cloud.set_port_up(port.id, False),
    lambda cloud, port: cloud.set_port_up(port.id, True),
    lambda cloud, port: cloud.port(port.id).admin_up,
    lambda port: ("openstack", "port", "set", "--enable", port.id),
)
POWER_OFF = CloudSide(
    CloudFault.POWER_OFF,
    _ordered(InstanceAction.STOP),
    _ordered(InstanceAction.START),
    _runs,
    lambda port: ("openstack", "server", "start", port.device_id),
)
PAUSE = CloudSide(
    CloudFault.PAUSE,
    _ordered(InstanceAction.PAUSE),
    _ordered(InstanceAction.UNPAUSE),
    _runs,
    lambda port: ("openstack", "server", "unpause", port.device_id),
)
SIDES = {side.fault: side for side in (PORT_DOWN, POWER_OFF, PAUSE)}
