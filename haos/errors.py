"""The errors that haos expects, as one tree.

HaosError                       one line: the reason; `hint` names the remedy; `exit_code` is the process's
├── UsageError              2   malformed or contradictory request
├── NotFoundError           1   a name or id that the cloud does not know
├── AmbiguousError          1   a name that several things carry
├── CloudError              1   the API: unreachable, refused, broken
│   ├── AuthenticationError 1
│   ├── ForbiddenError      5   policy says no
│   ├── AddressTakenError   5   the address is on a port already
│   ├── MacTakenError       5   the virtual MAC, and so the VRID, is on a port already
│   ├── QuotaError          5
│   └── UncertainError      1   no answer: it may have been done
├── RemoteError             1   an instance: unreachable, refused, a step failed there
│   ├── HostKeyError        1
│   │   └── RebuiltError    1   it has another host key, and its console log names that one
│   ├── LoginError          1
│   └── StepError           1   a script on the node ended with an error
├── UnsatisfiableError      5   what `check` finds
│   └── NoFreeAddressError  5   every address outside the pools is taken
├── VerificationError       4   the VIP does not do what it should
├── RecordError             5   a reservation port whose record cannot be trusted
├── LeftoverError           6   failed, and something was left
└── Interrupted             130

Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address


class HaosError(Exception):
    """An expected failure: the message is one line with the reason, the hint names the remedy."""

    exit_code = 1

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class UsageError(HaosError):
    """The request contradicts itself or is malformed."""

    exit_code = 2


class NotFoundError(HaosError):
    """Nothing of that name or id is visible."""


class AmbiguousError(HaosError):
    """Several things have that name."""


class CloudError(HaosError):
    """The API could not be reached or did not do as asked."""


class AuthenticationError(CloudError):
    """Keystone refused the credentials."""


class ForbiddenError(CloudError):
    """The cloud's policy forbids it."""

    exit_code = 5


class AddressTakenError(CloudError):
    """Neutron's 409: the address is allocated already."""

    exit_code = 5


class MacTakenError(CloudError):
    """Neutron's 409: the MAC address is in use on this network; for a virtual MAC: the VRID is taken."""

    exit_code = 5


class QuotaError(CloudError):
    """The project's quota does not allow one more."""

    exit_code = 5


class UncertainError(CloudError):
    """No answer came, or none of the service's own: whether it was done is not known."""


class RemoteError(HaosError):
    """An instance could not be reached, or did not do as asked."""


class HostKeyError(RemoteError):
    """The instance's host key is unknown or not the one that was expected."""


class RebuiltError(HostKeyError):
    """The instance has another host key than haos keeps, and its console log, whole and in one block, names it."""

    def __init__(self, reason: str, *, hint: str | None = None, fingerprints: tuple[str, ...] = ()) -> None:
        super().__init__(reason, hint=hint)
        self.fingerprints = fingerprints


class LoginError(RemoteError):
    """sshd or sudo refused."""


class StepError(RemoteError):
    """A script on the node ended with an error."""


class UnsatisfiableError(HaosError):
    """The request is well formed but this cloud, as it is, cannot satisfy it."""

    exit_code = 5


class NoFreeAddressError(UnsatisfiableError):
    """Nothing is free outside the allocation pools; `offer` is an address that could be taken from a pool instead."""

    def __init__(
        self, reason: str, *, hint: str | None = None, offer: IPv4Address | IPv6Address | None = None
    ) -> None:
        super().__init__(reason, hint=hint)
        self.offer = offer


class VerificationError(HaosError):
    """The VIP was made, but an observer did not see it behave as predicted."""

    exit_code = 4


class RecordError(HaosError):
    """The record on a reservation port is unreadable or not to be trusted."""

    exit_code = 5


class LeftoverError(HaosError):
    """A run failed and could not undo all it had done; the message lists what is left."""

    exit_code = 6


class Interrupted(HaosError):
    """The user, or the system, asked haos to stop."""

    exit_code = 130
