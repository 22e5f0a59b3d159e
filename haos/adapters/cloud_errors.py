"""What keystoneauth raises, as haos's own errors: one line with what was tried and why it failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keystoneauth1 import exceptions as ksa

from haos.errors import (
    AddressTakenError,
    AuthenticationError,
    CloudError,
    ForbiddenError,
    MacTakenError,
    NotFoundError,
    QuotaError,
)

LOST_ANSWER = (ksa.ConnectFailure, ksa.RetriableConnectionFailure)
"""The request may have taken effect."""


class RevisionError(CloudError):
    """Neutron's 412: somebody changed the resource since it was read."""


class LostAnswerError(CloudError):
    """No answer came, or the answer was a server error: the request may have taken effect."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what keystoneauth raises inside into haos's errors; `what` says what was tried ("list ports")."""
    try:
        yield
    except ksa.HttpError as error:
        raise from_http(what, error) from error
    except LOST_ANSWER as error:
        raise LostAnswerError(f"cannot {what}: {_line(error)}", hint="is the endpoint reachable?") from error
    except (ksa.MissingRequiredOptions, ksa.NoMatchingPlugin, ksa.AuthPluginException) as error:
        raise AuthenticationError(
            f"cannot {what}: {_line(error)}", hint="check clouds.yaml and the OS_* variables"
        ) from error
    except ksa.DiscoveryFailure as error:
        raise CloudError(f"cannot {what}: {_line(error)}", hint="is auth_url right, and reachable?") from error
    except ksa.ClientException as error:
        raise CloudError(f"cannot {what}: {_line(error)}") from error


def from_http(what: str, error: ksa.HttpError) -> CloudError | NotFoundError:
    """Return the error for an HTTP status, with the service's own message."""
    status = error.http_status
    kind, message = details(error)
    reason = f"cannot {what}: {message} (HTTP {status})"
    if status == 401:
        return AuthenticationError(reason, hint="are the credentials right? openstack token issue")
    if status == 403:
        return ForbiddenError(reason, hint="the cloud's policy forbids it to this user")
    if status == 404:
        return NotFoundError(reason)
    if status == 409:
        return _conflict(reason, kind, message)
    if status == 412:
        return RevisionError(reason)
    if status >= 500 or status == 429:
        return LostAnswerError(reason, hint="the cloud has trouble; run the same command again")
    return CloudError(reason)


def _conflict(reason: str, kind: str, message: str) -> CloudError:
    if kind == "MacAddressInUse" or "mac address" in message.lower():
        return MacTakenError(reason)
    if kind in ("IpAddressInUse", "IpAddressAlreadyAllocated") or "already allocated" in message:
        return AddressTakenError(reason, hint="openstack port list --fixed-ip ip-address=ADDRESS")
    if kind == "OverQuota":
        return QuotaError(reason, hint="openstack quota show")
    return CloudError(reason)


def details(error: ksa.HttpError) -> tuple[str, str]:
    """Return (type, message) of a service's error body."""
    try:
        body: Any = error.response.json() if error.response is not None else None
    except ValueError:
        body = None
    if isinstance(body, dict):
        for value in body.values():
            if isinstance(value, dict) and "message" in value:
                return str(value.get("type", "")), " ".join(str(value["message"]).split())
    return "", _line(error)


def _line(error: Exception) -> str:
    # urllib3 repeats the whole story in brackets; what comes before says it all.
    text = " ".join(str(error).split()).partition(": HTTPConnectionPool(")[0].partition(": HTTPSConnectionPool(")[0]
    return text or type(error).__name__
