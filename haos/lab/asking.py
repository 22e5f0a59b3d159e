"""Requests to the lab's own API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from haos.lab.errors import LabError

TIMEOUT_S = 30.0


def request(url: str, method: str, body: dict[str, Any] | None = None) -> Any:
    """Send a request and return the decoded answer; raises LabError if it is refused."""
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the lab's own, on loopback
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(asked, timeout=TIMEOUT_S) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise LabError(f"the lab refuses: {_message(error.read())}") from error
    except OSError as error:
        raise LabError(f"the lab does not answer: {error}") from error
    return json.loads(text) if text else None


def _message(answer: bytes) -> str:
    """Return what an error body says, as it is if it is not one of the lab's own."""
    try:
        return str(json.loads(answer)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return answer.decode(errors="replace")
