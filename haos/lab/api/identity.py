"""The Keystone v3 API: discovery, tokens with their catalog, and projects and users as clients look them up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from haos.lab.api.errors import ApiError, unauthenticated
from haos.lab.api.routing import NOBODY, Call, Caller, Doc, Response, Route
from haos.lab.api.seed import CloudSeed, User
from haos.lab.api.tokens import Token, Tokens, stamp

V3 = "/identity/v3"
DOMAIN = {"id": "default", "name": "Default"}
REGION = "RegionOne"
SERVICES = (
    ("identity", "keystone", "/identity"),
    ("compute", "nova", "/compute/v2.1"),
    ("network", "neutron", "/network"),
    ("image", "glance", "/image"),
)


class IdentityApi:
    """Keystone."""

    def __init__(self, seed: CloudSeed, tokens: Tokens) -> None:
        self._seed = seed
        self._tokens = tokens
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
            Route("GET", f"{V3}/auth/projects", self.own_projects),
            Route("GET", f"{V3}/users/{{id}}/projects", self.own_projects),
            *self._directory("project", self._projects),
            *self._directory("user", self._users),
            *self._directory("domain", lambda caller: [{**DOMAIN, "enabled": True}]),
        ]

    def versions(self, call: Call) -> Response:
        """Answer version discovery: there is one to choose from."""
        return Response(300, {"versions": {"values": [_version(call)]}})

    def version(self, call: Call) -> Response:
        """Describe v3."""
        return Response(200, {"version": _version(call)})

    def issue(self, call: Call) -> Response:
        """Give out a token for a password, an application credential or another token."""
        auth = call.request.json().get("auth", {})
        identity = auth.get("identity", {})
        methods = tuple(identity.get("methods", ()))
        if methods == ("password",):
            user = self._by_password(identity["password"]["user"])
            project_id = self._scope(user, auth.get("scope"))
        elif methods == ("application_credential",):
            user, project_id = self._by_credential(identity["application_credential"])
        elif methods == ("token",):
            token = self._tokens.find(identity["token"]["id"])
            if token is None:
                raise unauthenticated()
            user = self._user(token.caller.user_id)
            project_id = self._scope(user, auth.get("scope"))
        else:
            raise unauthenticated()
        caller = Caller(user.id, project_id, frozenset(user.roles if project_id else ()))
        return self._token_response(self._tokens.issue(caller, methods), call, 201)

    def validate(self, call: Call) -> Response:
        """Describe a token."""
        token = self._tokens.find(call.request.headers.get("x-subject-token", ""))
        if token is None:
            raise ApiError(404, "Could not find token.")
        return self._token_response(token, call, 200)

    def revoke(self, call: Call) -> Response:
        """Take a token back."""
        subject = call.request.headers.get("x-subject-token", "")
        if self._tokens.find(subject) is None:
            raise ApiError(404, "Could not find token.")
        self._tokens.revoke(subject)
        return Response(204)

    def catalog(self, call: Call) -> Response:
        """List the services."""
        return Response(200, {"catalog": _catalog(call), "links": {}})

    def own_projects(self, call: Call) -> Response:
        """List the projects in which the caller has a role."""
        names = self._user(call.caller.user_id).projects
        projects = [_project(self._seed.projects[name], name) for name in names]
        return Response(200, {"projects": projects, "links": {}})

    def _directory(self, singular: str, listed: Callable[[Caller], list[Doc]]) -> list[Route]:
        def every(call: Call) -> Response:
            found = [doc for doc in listed(call.caller) if call.request.last("name") in (None, doc["name"])]
            return Response(200, {f"{singular}s": found, "links": {}})

        def one(call: Call) -> Response:
            for doc in listed(call.caller):
                if doc["id"] == call.args["id"]:
                    return Response(200, {singular: doc})
            raise ApiError(404, f"Could not find {singular}: {call.args['id']}.")

        path = f"{V3}/{singular}s"
        return [Route("GET", path, every), Route("GET", f"{path}/{{id}}", one)]

    def _projects(self, caller: Caller) -> list[Doc]:
        everything = [_project(project_id, name) for name, project_id in self._seed.projects.items()]
        return [doc for doc in everything if caller.admin or doc["id"] == caller.project_id]

    def _users(self, caller: Caller) -> list[Doc]:
        seen = [user for user in self._seed.users if caller.admin or user.id == caller.user_id]
        return [{"id": user.id, "name": user.name, "domain_id": "default", "enabled": True} for user in seen]

    def _user(self, user_id: str) -> User:
        return next(user for user in self._seed.users if user.id == user_id)

    def _by_password(self, given: Doc) -> User:
        for user in self._seed.users:
            known = given.get("id") == user.id or given.get("name") == user.name
            if known and given.get("password") == user.password:
                return user
        raise unauthenticated()

    def _by_credential(self, given: Doc) -> tuple[User, str]:
        for credential in self._seed.credentials:
            user = next(user for user in self._seed.users if user.name == credential.user)
            owner = given.get("user", {})
            by_name = given.get("name") == credential.name and user.name == owner.get("name")
            by_name = by_name or (given.get("name") == credential.name and user.id == owner.get("id"))
            if (given.get("id") == credential.id or by_name) and given.get("secret") == credential.secret:
                return user, self._seed.projects[credential.project]
        raise unauthenticated()

    def _scope(self, user: User, scope: Any) -> str:
        if not scope or scope == "unscoped":
            return ""
        wanted = scope.get("project", {})
        for name in user.projects:
            project_id = self._seed.projects[name]
            if wanted.get("id") == project_id or wanted.get("name") == name:
                return project_id
        raise unauthenticated()

    def _token_response(self, token: Token, call: Call, status: int) -> Response:
        user = self._user(token.caller.user_id)
        body: Doc = {
            "methods": list(token.methods),
            "user": {"id": user.id, "name": user.name, "domain": DOMAIN, "password_expires_at": None},
            "audit_ids": [token.id[7:29]],
            "issued_at": stamp(token.issued_s),
            "expires_at": stamp(token.expires_s),
        }
        if token.caller.project_id:
            project_id = token.caller.project_id
            body["project"] = {"id": project_id, "name": self._project_names[project_id], "domain": DOMAIN}
            body["is_domain"] = False
            body["roles"] = [{"id": f"role-{name}", "name": name} for name in sorted(token.caller.roles)]
            if not any(name == "nocatalog" for name, _ in call.request.query):
                body["catalog"] = _catalog(call)
        return Response(status, {"token": body}, {"X-Subject-Token": token.id, "Vary": "X-Auth-Token"})


def caller_of(tokens: Tokens, token_id: str, *, public: bool) -> Caller:
    """Return whom a request's token stands for; without a good one only public routes are open."""
    token = tokens.find(token_id) if token_id else None
    if token is not None:
        return token.caller
    if public:
        return NOBODY
    raise unauthenticated()


def _base(call: Call) -> str:
    return f"http://{call.request.headers.get('host', '')}"


def _version(call: Call) -> Doc:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{_base(call)}{V3}/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def _catalog(call: Call) -> list[Doc]:
    return [
        {
            "id": f"service-{name}",
            "type": kind,
            "name": name,
            "endpoints": [
                {
                    "id": f"endpoint-{name}-{interface}",
                    "interface": interface,
                    "region": REGION,
                    "region_id": REGION,
                    "url": f"{_base(call)}{path}",
                }
                for interface in ("public", "internal", "admin")
            ],
        }
        for kind, name, path in SERVICES
    ]


def _project(project_id: str, name: str) -> Doc:
    return {
        "id": project_id,
        "name": name,
        "domain_id": "default",
        "parent_id": "default",
        "description": "",
        "enabled": True,
        "is_domain": False,
        "tags": [],
        "options": {},
    }
