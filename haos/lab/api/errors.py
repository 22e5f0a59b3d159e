"""What goes wrong in OpenStack's own words: status, type and text of each error, and each service's JSON for it."""

from __future__ import annotations

from typing import Any

NEUTRON: dict[str, tuple[int, str]] = {
    "AddressGroupNotFound": (404, "Address group {id} could not be found."),
    "AddressPairAndPortSecurityRequired": (
        409,
        "Port Security must be enabled in order to have allowed address pairs on a port.",
    ),
    "AdminRequired": (403, "User does not have admin privileges: {reason}."),
    "AllocationOnAutoAddressSubnet": (
        400,
        "Invalid input for operation: IPv6 address {ip} cannot be directly assigned to a port on subnet {subnet_id}"
        " as the subnet is configured for automatic addresses.",
    ),
    "AllowedAddressPairExhausted": (400, "The number of allowed address pair exceeds the maximum {quota}."),
    "AllowedAddressPairsMissingIP": (400, "AllowedAddressPair must contain ip_address"),
    "BadRequest": (400, "Bad {resource} request: {msg}."),
    "DuplicateAddressPairInRequest": (
        400,
        "Request contains duplicate address pair: mac_address {mac_address} ip_address {ip_address}.",
    ),
    "DuplicateSecurityGroupRuleInPost": (409, "Duplicate Security Group Rule in POST."),
    "ExternalGatewayForFloatingIPNotFound": (
        404,
        "External network {external_network_id} is not reachable from subnet {subnet_id}.  Therefore, cannot"
        " associate Port {port_id} with a Floating IP.",
    ),
    "FloatingIPNotFound": (404, "Floating IP {id} could not be found"),
    "FloatingIPPortAlreadyAssociated": (
        409,
        "Cannot associate floating IP {floating_ip_address} ({fip_id}) with port {port_id} using fixed IP {fixed_ip},"
        " as that fixed IP already has a floating IP on external network {net_id}.",
    ),
    "GatewayConflictWithAllocationPools": (409, "Gateway ip {ip_address} conflicts with allocation pool {pool}."),
    "GatewayIpInUse": (409, "Current gateway ip {ip_address} already in use by port {port_id}. Unable to update."),
    "HTTPBadRequest": (400, "{msg}"),
    "HTTPForbidden": (403, "{msg}"),
    "HTTPInternalServerError": (500, "Request Failed: internal server error while processing your request."),
    "HTTPNotFound": (404, "The resource could not be found."),
    "InvalidAllocationPool": (400, "The allocation pool {pool} is not valid."),
    "InvalidInput": (400, "Invalid input for operation: {error_message}."),
    "InvalidIpForNetwork": (
        400,
        "IP address {ip_address} is not a valid IP for any of the subnets on the specified network.",
    ),
    "InvalidIpForSubnet": (400, "IP address {ip_address} is not a valid IP for the specified subnet."),
    "IpAddressAlreadyAllocated": (409, "IP address {ip} already allocated in subnet {subnet_id}"),
    "IpAddressGenerationFailure": (409, "No more IP addresses available on network {net_id}."),
    "MacAddressInUse": (409, "Unable to complete operation for network {net_id}. The mac address {mac} is in use."),
    "NetworkInUse": (409, "Unable to complete operation on network {net_id}. {reason}."),
    "NetworkNotFound": (404, "Network {id} could not be found."),
    "OutOfBoundsAllocationPool": (400, "The allocation pool {pool} spans beyond the subnet cidr {subnet_cidr}."),
    "OverQuota": (409, "Quota exceeded for resources: {overs}."),
    "OverlappingAllocationPools": (
        409,
        "Found overlapping allocation pools: {pool_1} {pool_2} for subnet {subnet_cidr}.",
    ),
    "PolicyNotAuthorized": (403, "{rule} is disallowed by policy"),
    "PortNotFound": (404, "Port {id} could not be found."),
    "PortSecurityAndIPRequiredForSecurityGroups": (
        400,
        "Port security must be enabled and port must have an IP address in order to use security groups.",
    ),
    "PortSecurityPortHasSecurityGroup": (
        409,
        "Port has security group associated. Cannot disable port security or IP address until security group is"
        " removed.",
    ),
    "PortInUse": (
        409,
        "Unable to complete operation on port {port_id} for network {net_id}. Port already has an attached device"
        " {device_id}.",
    ),
    "RevisionNumberConstraintFailed": (412, "Constrained to {exp}, but current revision is {cur}"),
    "RouterExternalGatewayInUseByFloatingIp": (
        409,
        "Gateway cannot be updated for router {router_id}, since a gateway to external network {net_id} is required"
        " by one or more floating IPs.",
    ),
    "RouterInUse": (409, "Router {router_id} {reason}"),
    "RouterInterfaceInUseByFloatingIP": (
        409,
        "Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by one or"
        " more floating IPs.",
    ),
    "RouterInterfaceNotFound": (404, "Router {router_id} does not have an interface with id {port_id}"),
    "RouterInterfaceNotFoundForSubnet": (404, "Router {router_id} has no interface on subnet {subnet_id}"),
    "RouterNotFound": (404, "Router {id} could not be found"),
    "SecurityGroupCannotRemoveDefault": (409, "Insufficient rights for removing default security group."),
    "SecurityGroupCannotUpdateDefault": (409, "Updating default security group not allowed."),
    "SecurityGroupDefaultAlreadyExists": (409, "Default security group already exists."),
    "SecurityGroupEthertypeConflictWithProtocol": (
        400,
        "Invalid ethertype {ethertype} for protocol {protocol}.",
    ),
    "SecurityGroupInUse": (409, "Security Group {id} in use."),
    "SecurityGroupInvalidIcmpValue": (
        400,
        "Invalid value for ICMP {field} ({attr}) {value}. It must be 0 to 255.",
    ),
    "SecurityGroupInvalidPortRange": (
        400,
        "For TCP/UDP protocols, port_range_min must be <= port_range_max",
    ),
    "SecurityGroupInvalidPortValue": (400, "Invalid value for port {port}"),
    "SecurityGroupInvalidProtocolForPort": (
        400,
        "Ports cannot be specified for protocol {protocol}. Ports are only supported for"
        " DCCP, SCTP, TCP, UDP, UDPLITE.",
    ),
    "SecurityGroupMissingIcmpType": (
        400,
        "ICMP code (port-range-max) {value} is provided but ICMP type (port-range-min) is missing.",
    ),
    "SecurityGroupMultipleRemoteEntites": (
        400,
        "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
    ),
    "SecurityGroupNotFound": (404, "Security group {id} does not exist"),
    "SecurityGroupNotSingleGroupRules": (
        400,
        "Only allowed to update rules for one security profile at a time",
    ),
    "SecurityGroupProtocolRequiredWithPorts": (
        400,
        "Must also specify protocol if port range is given.",
    ),
    "SecurityGroupRuleExists": (409, "Security group rule already exists. Rule id is {rule_id}."),
    "SecurityGroupRuleInvalidEtherType": (
        400,
        "Security group rule for ethertype '{ethertype}' not supported. Allowed values are ['IPv4', 'IPv6'].",
    ),
    "SecurityGroupRuleInvalidProtocol": (
        400,
        "Security group rule protocol {protocol} not supported. Only protocol values"
        " {values} and integer representations [0 to 255] are supported.",
    ),
    "SecurityGroupRuleNotFound": (404, "Security group rule {id} does not exist"),
    "SecurityGroupRuleParameterConflict": (
        400,
        "Conflicting value ethertype {ethertype} for CIDR {cidr}",
    ),
    "ServicePortInUse": (409, "Port {port_id} cannot be deleted directly via the port API: {reason}."),
    "SubnetInUse": (409, "Unable to complete operation on subnet {subnet_id}: {reason}."),
    "SubnetMismatchForPort": (400, "Subnet on port {port_id} does not match the requested subnet {subnet_id}."),
    "SubnetNotFound": (404, "Subnet {id} could not be found."),
    "TagNotFound": (404, "Tag {tag} could not be found."),
}
"""Type -> (status, text), as Neutron 2025.1 answers."""

NOVA_KEYS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    429: "overLimit",
    503: "serviceUnavailable",
}
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}
UNAUTHENTICATED = "The request you have made requires authentication."
MALFORMED = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect."
    " The client is assumed to be in error."
)
NO_SUCH_PAGE = "HTTPNotFound"
"""The kind of an error about a path that nobody answers."""
PAGE = "<!doctype html>\n<html lang=en>\n<title>404 {title}</title>\n<h1>{title}</h1>\n<p>{message}</p>\n"


class ApiError(Exception):
    """A request that the cloud refuses."""

    def __init__(self, status: int, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind


def neutron(kind: str, **words: object) -> ApiError:
    """Make one of Neutron's errors."""
    status, text = NEUTRON[kind]
    return ApiError(status, text.format(**words), kind)


def bad(message: str) -> ApiError:
    """Make the 400 of a malformed Neutron body or query."""
    return neutron("HTTPBadRequest", msg=message)


def invalid(attribute: str, reason: str) -> ApiError:
    """Make the 400 of a Neutron attribute that did not pass its validator."""
    return bad(f"Invalid input for {attribute}. Reason: {reason}.")


def unauthenticated() -> ApiError:
    """Make the 401 that asks for a new token."""
    return ApiError(401, UNAUTHENTICATED)


def malformed(part: str, whole: str) -> ApiError:
    """Make Keystone's 400 about a part of a body that is not there."""
    return ApiError(400, f"Expecting to find {part} in {whole}. {MALFORMED}")


def body_of(service: str, error: ApiError) -> dict[str, Any] | str:
    """Write an error as the service would, a str being HTML; a 401 always comes from Keystone's middleware."""
    title = TITLES.get(error.status, "Error")
    if error.kind == NO_SUCH_PAGE and service == "identity":
        return PAGE.format(title=title, message=error.message)
    if error.kind == NO_SUCH_PAGE and service in ("compute", "image"):
        return {"message": f"{error.message}<br /><br />\n\n\n", "code": f"{error.status} {title}", "title": title}
    if error.kind == "HTTPMethodNotAllowed" and service == "identity":
        return {"message": "The method is not allowed for the requested URL."}
    if service == "network" and error.status != 401:
        kind = error.kind or "HTTPException"
        return {"NeutronError": {"type": kind, "message": error.message, "detail": ""}}
    if service == "compute" and error.status != 401:
        key = NOVA_KEYS.get(error.status, "computeFault")
        return {key: {"code": error.status, "message": error.message}}
    return {"error": {"code": error.status, "message": error.message, "title": title}}
