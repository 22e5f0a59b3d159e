"""What keystoneauth raises, as haos's own errors: one line with what was tried and why it failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from keystoneauth1 import exceptions as ksa

from haos.errors import (
    AddressTakenError,
    AuthenticationError,
    CloudError,
    ForbiddenError,
    HaosError,
    MacTakenError,
    NotFoundError,
    QuotaError,
    UncertainError,
    UnsatisfiableError,
)


class PassingError(CloudError):
    """Trouble that may pass: `retry_after_s` is what the service asked for, `pause_s` what is usual."""

    pause_s = 0.5
    retry_after_s: float | None = None


class BusyError(PassingError):
    """The service refused for now (429); nothing was done."""


class LostAnswerError(PassingError, UncertainError):
    """No answer came, or the answer was a server error: the request may have taken effect."""


class StrangeAnswerError(LostAnswerError):
    """A 404 that is not in the service's words: a proxy before it said so, and of everything."""


class RuleExistsError(PassingError):
    """Neutron's 409: a security group has such a rule already."""

    pause_s = 0.05


class StateError(CloudError):
    """Nova's 409: the instance is not in a state for this."""


class RevisionError(PassingError):
    """Neutron's 412: somebody changed the resource since it was read."""

    pause_s = 0.05


class OvertakenError(PassingError):
    """Somebody else wrote the resource at the same moment: which of the two stands is to be looked up."""

    retry_after_s = 1
    """So long a request of his that is under way may take."""


HINTS = {
    "OverQuota": "openstack quota show",
    "AllowedAddressPairExhausted": "a port holds at most 10 address pairs; openstack port unset --allowed-address …",
    "AddressPairAndPortSecurityRequired": "port security is off on this port: address pairs cannot be set there",
    "IpAddressGenerationFailure": "the allocation pools are used up; openstack subnet list --network NETWORK",
    "InvalidIpForNetwork": "openstack subnet list --network NETWORK",
    "InvalidIpForSubnet": "openstack subnet list --network NETWORK",
    "ExternalGatewayForFloatingIPNotFound": "a router must lead there: openstack router add subnet ROUTER SUBNET",
    "FloatingIPPortAlreadyAssociated": "openstack floating ip list --port PORT",
    "ExternalIpAddressExhausted": "no address is left there; openstack floating ip list shows your own",
    "SecurityGroupInUse": "openstack port list --security-group GROUP",
}
"""Neutron's error type -> what helps."""

_RULE = re.compile(r"rule:([\w:]+)|allow (\S+) to be performed|perform the requested action, (\S+?)\.?$")
_URL = re.compile(r"https?://[^\s?]+?(?=[:?]?(?:\s|\?|$))")
_USERINFO = re.compile(r"(?<=://)[^\s/?#\"'<>]*@")
_SECRET = re.compile(r"(?i)token|secret|password|signature|credential")
_CAUSE = re.compile(r"\[Errno -?\d+\] ([^\"'()\[\]]+)|'([A-Z][^']+)'\)\)$|(timed out)")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what keystoneauth raises inside into haos's errors; `what` says what was tried ("list ports")."""
    try:
        yield
    except ksa.HttpError as error:
        raise from_http(what, error) from error
    except ksa.ClientException as error:
        raise from_client(what, error) from error


def from_client(what: str, error: ksa.ClientException) -> HaosError:
    """Return the error for a failure that is no answer of the service."""
    reason = f"cannot {what}: {_line(error)}"
    match error:
        case ksa.SSLError():
            return CloudError(reason, hint="a CA of the cloud's own is given with --os-cacert FILE, or cacert:")
        case ksa.ConnectionError():
            return LostAnswerError(f"cannot {what}: {_unreached(error)}", hint="is the endpoint reachable from here?")
        case ksa.AuthorizationFailure() | ksa.MissingAuthMethods() | ksa.AuthPluginException():
            return AuthenticationError(reason, hint="check clouds.yaml and the OS_* variables")
        case ksa.CatalogException():
            return CloudError(reason, hint="openstack catalog list")
        case ksa.DiscoveryFailure():
            return _undiscovered(what, error)
    return CloudError(reason, hint="--debug shows the requests and their answers")


def from_http(what: str, error: ksa.HttpError) -> HaosError:
    """Return the error for an HTTP status, with the service's own message."""
    status = error.http_status
    said = details(error)
    kind, message = said or ("", type(error).message)
    reason = f"cannot {what}: {message} (HTTP {status})"
    match status:
        case 401:
            return AuthenticationError(reason, hint="are the credentials right? openstack token issue")
        case 403:
            return _forbidden(what, message)
        case 404 if kind == "ExternalGatewayForFloatingIPNotFound":
            return UnsatisfiableError(reason, hint=HINTS[kind])
        case 404 if not said:
            return StrangeAnswerError(
                reason, hint="is its endpoint right, and the service up? openstack catalog list"
            )
        case 404:
            return NotFoundError(reason, hint="it may be gone meanwhile, or not be this project's to see")
        case 409:
            return _conflict(reason, kind, message)
        case 412:
            return RevisionError(reason, hint="somebody else is changing it; run the same command again")
        case 429:
            return _passing(BusyError(reason, hint="the cloud is busy; run the same command again"), error)
        case 501:
            return CloudError(reason, hint="this cloud does not offer it")
        case _ if status >= 500:
            return _passing(LostAnswerError(reason, hint="the cloud has trouble; run the same command again"), error)
    return CloudError(reason, hint=HINTS.get(kind, "--debug shows the request and the whole answer"))


def details(error: ksa.HttpError) -> tuple[str, str] | None:
    """Return (type, message) of a service's error body; None where the answer is not the service's."""
    try:
        body: Any = error.response.json() if error.response is not None else None
    except ValueError:
        body = None
    if isinstance(body, dict):
        for value in body.values():
            if isinstance(value, dict) and "message" in value:
                return str(value.get("type", "")), _one_line(str(value["message"]))
    return None


def _undiscovered(what: str, error: ksa.DiscoveryFailure) -> HaosError:
    # keystoneauth hides why it could not read the versions of auth_url.
    cause = error.__context__
    if isinstance(cause, ksa.ConnectionError):
        return from_client(what, cause)
    if isinstance(cause, ksa.HttpError) and cause.http_status != 404:
        passing = from_http(what, cause)
        if isinstance(passing, PassingError):
            return passing
    return CloudError(f"cannot {what}: {_line(error)}", hint="is auth_url right?")


def _passing(passing: PassingError, error: ksa.HttpError) -> PassingError:
    if error.response is not None:
        passing.retry_after_s = retry_after_s(error.response.headers)
    return passing


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return what a service asks for, None if nothing that can be understood: seconds, or a date (RFC 9110 10.2.3).

    A date is counted from the answer's own Date, since the service's clock need not be this machine's.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdecimal():
        return float(asked)
    until, sent = _http_date(asked), _http_date(headers.get("Date", ""))
    if until is None:
        return None
    return max(0.0, (until - (sent or datetime.now(UTC))).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _forbidden(what: str, message: str) -> ForbiddenError:
    # Neutron lists every rule on the way down; the longest name is the one that says no.
    rules = [next(filter(None, match)) for match in _RULE.findall(message)]
    rule = max(rules, key=len, default=None)
    why = f"policy rule {rule} says no" if rule else message
    return ForbiddenError(
        f"cannot {what}: {why} (HTTP 403)", hint="by default only the network's owner, or an administrator, may"
    )


def _conflict(reason: str, kind: str, message: str) -> HaosError:
    if kind == "MacAddressInUse":
        return MacTakenError(reason, hint=f"openstack port list --mac-address {_named('mac address', message)}")
    if kind in ("IpAddressInUse", "IpAddressAlreadyAllocated"):
        return AddressTakenError(
            reason, hint=f"openstack port list --fixed-ip ip-address={_named('IP address', message)}"
        )
    if kind == "OverQuota":
        return QuotaError(reason, hint=HINTS[kind])
    if kind == "FloatingIPPortAlreadyAssociated":
        return UnsatisfiableError(reason, hint=HINTS[kind])
    if kind == "SecurityGroupRuleExists":
        return RuleExistsError(reason, hint="somebody else made it meanwhile; run the same command again")
    hint = HINTS.get(kind, "if somebody else is changing it, run the same command again")
    return CloudError(reason, hint=hint) if kind else StateError(reason, hint=hint)


def _named(what: str, message: str) -> str:
    found = re.search(rf"{what} ([\da-f.:]*[\da-f])", message)
    return found.group(1) if found else what.rpartition(" ")[2].upper()


def _unreached(error: ksa.ConnectionError) -> str:
    # requests and urllib3 wrap the cause four times over.
    text = _line(error)
    url, cause = _URL.search(text), _CAUSE.search(text)
    if url is None:
        return text
    why = next(filter(None, cause.groups())).strip() if cause else "no connection"
    return f"{public_url(url.group())} does not answer ({why})"


def public_url(url: str) -> str:
    """Return the URL without user, password and values of the query that may be secret."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if any(_SECRET.search(name) for name, _ in query):
        hidden = [(name, "***" if _SECRET.search(name) else value) for name, value in query]
        parts = parts._replace(query=urlencode(hidden, safe="*"))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _line(error: Exception) -> str:
    return _one_line(_USERINFO.sub("", str(error))) or type(error).__name__


def _one_line(text: str) -> str:
    """Return one line of it all, with nothing in it that a terminal would obey: names in it can hold anything."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))
