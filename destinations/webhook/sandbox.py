"""A receiver of webhooks that verifies the signature, the time and the shape, and then says 200.

It trusts one secret, SECRET below, and refuses with 400 what a careful receiver would refuse. It
takes an id once, but at /every each time, as a receiver does that keeps no ids.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from destinations.spec import Reply, Request, Taken, Unreadable

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"  # noqa: S105 - everybody's, to practise with
TOLERANCE = 300.0


class Sandbox:
    """A receiver that knows SECRET."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self._seen: set[str] = set()

    def answer(self, request: Request, now: float) -> Reply:
        if request.method != "POST":
            return Reply.of(405, {"error": "POST only"})
        identity = request.headers.get("webhook-id", "")
        stamp = request.headers.get("webhook-timestamp", "")
        if not identity or not stamp.isdecimal() or abs(now - int(stamp)) > TOLERANCE:
            return Reply.of(400, {"error": "no id, or a time that is not now"})
        if not self._signed(request, identity, stamp):
            return Reply.of(400, {"error": "no signature of ours"})
        try:
            said = request.json()
        except Unreadable:
            return Reply.of(400, {"error": "not JSON"})
        items = said if isinstance(said, list) else [said]
        for one in items:
            if not isinstance(one, dict) or not isinstance(one.get("data"), dict):
                return Reply.of(400, {"error": "not {type, timestamp, data}"})
        if identity not in self._seen or request.url == "/every":
            self._seen.add(identity)
            for one in items:
                data = one["data"]
                who = data.get("userId") or data.get("anonymousId") or ""
                self.taken.append(Taken(data.get("messageId"), who, one.get("type", ""), data))
        return Reply.of(200, {"ok": True})

    def _signed(self, request: Request, identity: str, stamp: str) -> bool:
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        content = b".".join((identity.encode(), stamp.encode(), request.body))
        digest = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        given = request.headers.get("webhook-signature", "").split()
        return any(hmac.compare_digest(one.encode(), f"v1,{digest}".encode()) for one in given)
