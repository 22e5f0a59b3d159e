"""A small OpenStack on loopback: Keystone, Nova and Neutron over an in-memory store and a `World` that obeys."""

from haos.lab.api.cloud import Cloud
from haos.lab.api.http import Server
from haos.lab.api.seed import (
    CREDENTIAL,
    PASSWORD,
    ApplicationCredential,
    CloudSeed,
    GroupSeed,
    InstanceSeed,
    NetworkSeed,
    NicSeed,
    RuleSeed,
    SubnetSeed,
    User,
    howto,
)

__all__ = [
    "CREDENTIAL",
    "PASSWORD",
    "ApplicationCredential",
    "Cloud",
    "CloudSeed",
    "GroupSeed",
    "InstanceSeed",
    "NetworkSeed",
    "NicSeed",
    "RuleSeed",
    "Server",
    "SubnetSeed",
    "User",
    "howto",
]
