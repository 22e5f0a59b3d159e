"""The Keystone v3 API: discovery, tokens with their catalog, and who may look at whom."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from haos.lab.api.access import allowed
from haos.lab.api.catalog import base_of, catalog
from haos.lab.api.credentials import Credentials
from haos.lab.api.directory import DOMAIN, V3, Directory, forbidden, role_id
from haos.lab.api.errors import ApiError, malformed, unauthenticated
from haos.lab.api.routing import NOBODY, Call, Caller, Doc, Request, Response, Route
from haos.lab.api.seed import CloudSeed, User
from haos.lab.api.tokens import Token, Tokens, stamp

METHODS = ("password", "application_credential", "token")
RULES_HEADER = "openstack-identity-access-rules"


class IdentityApi:
    """Keystone."""

    def __init__(self, seed: CloudSeed, tokens: Tokens) -> None:
        self._seed = seed
        self._tokens = tokens
        self._credentials = Credentials(seed)
        self._directory = Directory(seed)
        self._project_names = {project_id: name for name, project_id in seed.projects.items()}

    def routes(self) -> list[Route]:
        """Return every route under /identity, and of the bare address."""
        return [
            Route("GET", "/", self.versions, public=True),
            Route("GET", "/identity", self.versions, public=True),
            Route("GET", V3, self.version, public=True),
            Route("GET", "/v3", self.version, public=True),
            Route("POST", f"{V3}/auth/tokens", self.issue, public=True),
            Route("GET", f"{V3}/auth/tokens", self.validate),
            Route("DELETE", f"{V3}/auth/tokens", self.revoke),
            Route("GET", f"{V3}/auth/catalog", self.catalog),
            *self._directory.routes(),
            *self._credentials.routes(),
        ]

    def versions(self, call: Call) -> Response:
        """Answer version discovery: there is one to choose from."""
        where = {"Location": f"{base_of(call)}{V3}/", "Vary": "X-Auth-Token"}
        return Response(300, {"versions": {"values": [_version(call)]}}, where)

    def version(self, call: Call) -> Response:
        """Describe v3."""
        return Response(200, {"version": _version(call)}, {"Vary": "X-Auth-Token"})

    def issue(self, call: Call) -> Response:
        """Give out a token for a password, an application credential or another token."""
        auth = _login(call)
        methods = tuple(auth["identity"]["methods"])
        if methods == ("application_credential",):
            return self._for_credential(call, auth)
        parent = None
        if methods == ("token",):
            parent = self._known(auth["identity"]["token"].get("id", ""), knows_rules=False)
            user = self._user(parent.caller.user_id)
        else:
            user = self._by_password(auth["identity"]["password"].get("user") or {})
        caller = self._scoped(user, auth.get("scope"))
        return self._token_response(self._tokens.issue(caller, methods, parent=parent), call, 201)

    def validate(self, call: Call) -> Response:
        """Describe a token."""
        return self._token_response(self._subject(call, "validate_token"), call, 200)

    def revoke(self, call: Call) -> Response:
        """Take a token back."""
        self._tokens.revoke(self._subject(call, "revoke_token").id)
        return Response(204)

    def catalog(self, call: Call) -> Response:
        """List the services."""
        if not call.caller.project_id:
            raise forbidden("get_auth_catalog")
        return Response(200, {"catalog": catalog(call), "links": {"self": f"{base_of(call)}{V3}/auth/catalog"}})

    def _for_credential(self, call: Call, auth: Doc) -> Response:
        user, credential = self._credentials.login(auth)
        caller = Caller(user.id, self._seed.projects[credential.project], frozenset(user.roles))
        shown: Doc = {"id": credential.id, "name": credential.name, "restricted": True}
        if credential.rules:
            shown["access_rules"] = [rule.shown() for rule in credential.rules]
        methods = ("application_credential",)
        token = self._tokens.issue(caller, methods, credential=shown, rules=credential.rules)
        return self._token_response(token, call, 201)

    def _known(self, token_id: str, *, knows_rules: bool) -> Token:
        token = self._tokens.find(token_id)
        if token is None or (token.rules and not knows_rules):
            looks_right = token_id.startswith("gAAAAAB")
            raise ApiError(404, "Failed to validate token" if looks_right else "Could not recognize Fernet token")
        return token

    def _subject(self, call: Call, action: str) -> Token:
        token_id = call.request.headers.get("x-subject-token", "")
        if not token_id:
            raise forbidden(action)
        # A service that does not say that it knows access rules would not keep to them.
        return self._known(token_id, knows_rules=bool(call.request.headers.get(RULES_HEADER)))

    def _user(self, user_id: str) -> User:
        return next(user for user in self._seed.users if user.id == user_id)

    def _by_password(self, given: Doc) -> User:
        if "id" not in given and "domain" not in given:
            raise malformed("domain", "user")
        for user in self._seed.users:
            known = given.get("id") == user.id or (given.get("name") == user.name and _default(given["domain"]))
            if known and given.get("password") == user.password:
                return user
        raise unauthenticated()

    def _scoped(self, user: User, scope: Any) -> Caller:
        if not scope or scope == "unscoped":
            return Caller(user.id, "", frozenset())
        wanted = scope.get("project", {})
        for name in user.projects:
            project_id = self._seed.projects[name]
            by_name = wanted.get("name") == name and _default(wanted.get("domain", {}))
            if by_name or wanted.get("id") == project_id:
                return Caller(user.id, project_id, frozenset(user.roles))
        raise unauthenticated()

    def _token_response(self, token: Token, call: Call, status: int) -> Response:
        user = self._user(token.caller.user_id)
        body: Doc = {
            "methods": list(token.methods),
            "user": {"id": user.id, "name": user.name, "domain": DOMAIN, "password_expires_at": None},
            "audit_ids": list(token.audit_ids),
            "issued_at": stamp(token.issued_s),
            "expires_at": stamp(token.expires_s),
        }
        if token.credential is not None:
            body["application_credential"] = dict(token.credential)
        if token.caller.project_id:
            project_id = token.caller.project_id
            body["project"] = {"id": project_id, "name": self._project_names[project_id], "domain": DOMAIN}
            body["is_domain"] = False
            body["roles"] = [{"id": role_id(name), "name": name} for name in sorted(token.caller.roles)]
            if not any(name == "nocatalog" for name, _ in call.request.query):
                body["catalog"] = catalog(call)
        return Response(status, {"token": body}, {"X-Subject-Token": token.id, "Vary": "X-Auth-Token"})


def caller_of(tokens: Tokens, request: Request, *, public: bool) -> Caller:
    """Return whom a request's token stands for; without one that is good for it only public routes are open.

    Keystone's own middleware checks access rules on every route, the other services' stands before closed ones alone.
    """
    token_id = request.headers.get("x-auth-token", "")
    token = tokens.find(token_id) if token_id else None
    checked = token is not None and token.rules and (request.service == "identity" or not public)
    if token is not None and checked and not allowed(token.rules, *_asked(request)):
        raise unauthenticated()
    if token is not None:
        return token.caller
    if public:
        return NOBODY
    raise unauthenticated()


def _asked(request: Request) -> tuple[str, str, str]:
    return request.service, request.method, urlsplit(request.target).path


def _login(call: Call) -> Doc:
    """Return a login that has all the parts it must have."""
    try:
        body = call.request.json()
    except ApiError as error:
        raise malformed("valid JSON", "request body") from error
    if "auth" not in body:
        raise malformed("auth", "request body")
    auth: Doc = body["auth"]
    for part, whole in (("identity", auth), ("methods", auth.get("identity", {}))):
        if part not in whole:
            raise ApiError(400, f"'{part}' is a required property\n\nFailed validating 'required' in schema")
    for method in auth["identity"]["methods"]:
        if method not in auth["identity"]:
            raise malformed(method, "identity")
        if method not in METHODS:
            raise unauthenticated()
    return auth


def _default(domain: Doc) -> bool:
    return domain.get("id") == DOMAIN["id"] or domain.get("name") == DOMAIN["name"]


def _version(call: Call) -> Doc:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{base_of(call)}{V3}/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }
