"""Tokens: who holds which, and until when."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from haos.lab.api.access import AccessRule
from haos.lab.api.routing import Caller


@dataclass(frozen=True)
class Token:
    """A token and what it stands for."""

    id: str
    caller: Caller
    methods: tuple[str, ...]
    issued_s: float  # since the epoch
    expires_s: float
    audit_ids: tuple[str, ...]  # its own, and that of the token which it was given for
    credential: Mapping[str, object] | None = None  # the application credential which it was given for
    rules: tuple[AccessRule, ...] = ()  # that credential's access rules; none: whatever the caller may do


class Tokens:
    """Every token that was given out and not revoked."""

    def __init__(self, last_s: float) -> None:
        self.last_s = last_s
        self._held: dict[str, Token] = {}
        self._lock = threading.Lock()

    def issue(
        self,
        caller: Caller,
        methods: tuple[str, ...],
        *,
        parent: Token | None = None,
        credential: Mapping[str, object] | None = None,
        rules: tuple[AccessRule, ...] = (),
    ) -> Token:
        """Give out a token; one for another token lasts no longer than that."""
        now_s = time.time()
        audit_ids: tuple[str, ...] = (secrets.token_urlsafe(16),)
        expires_s = now_s + self.last_s
        if parent is not None:
            methods = tuple(dict.fromkeys((*methods, *parent.methods)))
            audit_ids += parent.audit_ids[-1:]
            expires_s = parent.expires_s
        token_id = f"gAAAAAB{secrets.token_urlsafe(48)}"
        token = Token(token_id, caller, methods, now_s, expires_s, audit_ids, credential, rules)
        with self._lock:
            self._held[token.id] = token
        return token

    def find(self, token_id: str) -> Token | None:
        """Return a token that is still good."""
        with self._lock:
            token = self._held.get(token_id)
        return token if token is not None and token.expires_s > time.time() else None

    def revoke(self, token_id: str) -> None:
        """Forget a token."""
        with self._lock:
            self._held.pop(token_id, None)

    def expire_all(self) -> None:
        """Forget every token: each client has to ask for a new one."""
        with self._lock:
            self._held.clear()


def stamp(when_s: float) -> str:
    """Write a time as Keystone does, which knows whole seconds alone."""
    return datetime.fromtimestamp(when_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
