"""Application credentials: secrets that stand for a user in one project."""

from __future__ import annotations

import secrets
import threading
import uuid

from haos.lab.api import access
from haos.lab.api.catalog import base_of
from haos.lab.api.directory import V3, forbidden, role_id
from haos.lab.api.errors import ApiError, malformed, unauthenticated
from haos.lab.api.routing import Call, Doc, Response, Route
from haos.lab.api.seed import ApplicationCredential, CloudSeed, User

NO_SCOPE = "Error authenticating with application credential: Application credentials cannot request a scope."


class Credentials:
    """Those that the cloud started with, and those that its users made."""

    def __init__(self, seed: CloudSeed) -> None:
        self._seed = seed
        self._held = {credential.id: credential for credential in seed.credentials}
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        """Return these routes."""
        path = f"{V3}/users/{{user_id}}/application_credentials"
        return [
            Route("GET", path, self.list),
            Route("POST", path, self.create),
            Route("GET", f"{path}/{{id}}", self.show),
            Route("DELETE", f"{path}/{{id}}", self.delete),
        ]

    def login(self, auth: Doc) -> tuple[User, ApplicationCredential]:
        """Return whom a login stands for."""
        given = auth["identity"].get("application_credential") or {}
        if "id" in given and given["id"] not in self._held:
            raise _missing(given["id"])
        credential = self._held[given["id"]] if "id" in given else self._named(given)
        if credential is None or given.get("secret") != credential.secret:
            raise unauthenticated()
        if "scope" in auth:
            raise ApiError(401, NO_SCOPE)
        return self._owner(credential), credential

    def list(self, call: Call) -> Response:
        """List the caller's, without their secrets."""
        _check_own(call, "list_application_credentials")
        own = [item for item in self._held.values() if self._owner(item).id == call.caller.user_id]
        links = {"self": f"{base_of(call)}{call.request.path}", "next": None, "previous": None}
        return Response(200, {"application_credentials": [self._shown(call, item) for item in own], "links": links})

    def create(self, call: Call) -> Response:
        """Make one; its secret is shown this once."""
        _check_own(call, "create_application_credential")
        body = call.request.json().get("application_credential") or {}
        if "name" not in body:
            what = f"field/attribute application_credential. Value: {body}"
            raise ApiError(400, f"Invalid input for {what}. 'name' is a required property")
        user = next(user for user in self._seed.users if user.id == call.caller.user_id)
        project = next(name for name, key in self._seed.projects.items() if key == call.caller.project_id)
        secret = body.get("secret") or secrets.token_urlsafe(64)
        rules = access.read(body.get("access_rules", []))
        made = ApplicationCredential(uuid.uuid4().hex, body["name"], secret, user.name, project, rules)
        with self._lock:
            self._held[made.id] = made
        return Response(201, {"application_credential": {**self._shown(call, made), "secret": secret}})

    def show(self, call: Call) -> Response:
        """Show one, without its secret."""
        _check_own(call, "get_application_credential")
        credential = self._held.get(call.args["id"])
        if credential is None or self._owner(credential).id != call.caller.user_id:
            raise _missing(call.args["id"])
        return Response(200, {"application_credential": self._shown(call, credential)})

    def delete(self, call: Call) -> Response:
        """Forget one."""
        _check_own(call, "delete_application_credential")
        with self._lock:
            if self._held.pop(call.args["id"], None) is None:
                raise _missing(call.args["id"])
        return Response(204)

    def _named(self, given: Doc) -> ApplicationCredential | None:
        owner = given.get("user")
        if not owner:
            raise malformed("user", "application credential")
        for credential in self._held.values():
            user = self._owner(credential)
            if credential.name == given.get("name") and (
                user.name == owner.get("name") or user.id == owner.get("id")
            ):
                return credential
        return None

    def _owner(self, credential: ApplicationCredential) -> User:
        return next(user for user in self._seed.users if user.name == credential.user)

    def _shown(self, call: Call, credential: ApplicationCredential) -> Doc:
        rules: Doc = {"access_rules": [rule.shown() for rule in credential.rules]} if credential.rules else {}
        return {
            **rules,
            "id": credential.id,
            "name": credential.name,
            "project_id": self._seed.projects[credential.project],
            "user_id": self._owner(credential).id,
            "roles": [{"id": role_id(name), "name": name} for name in self._owner(credential).roles],
            "description": None,
            "expires_at": None,
            "unrestricted": None,
            "system": None,
            "links": {"self": f"{base_of(call)}{V3}/application_credentials/{credential.id}"},
        }


def _check_own(call: Call, action: str) -> None:
    if call.args["user_id"] != call.caller.user_id:
        raise forbidden(action)


def _missing(credential_id: str) -> ApiError:
    return ApiError(404, f"Could not find Application Credential: {credential_id}.")
