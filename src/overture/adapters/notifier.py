"""Notices to operators' servers: one POST, signed, by the client that tools are called with and its guard.

The headers and the signature are those of Standard Webhooks, for which there are libraries in many languages:
HMAC-SHA256 over `id.timestamp.body`, in base64, as `v1,SIGNATURE`. A secret that begins with `whsec_` is base64, any
other one is its own text. Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final

from overture.domain.errors import Misconfigured
from overture.domain.notice import Notice
from overture.domain.ports import ToolCaller
from overture.domain.tool import HttpRequest

_ENCODED: Final = "whsec_"


class SignedNotifier:
    """A Notifier over a ToolCaller, with the settings' secrets."""

    def __init__(self, caller: ToolCaller, *, secrets: Mapping[str, str]) -> None:
        self._caller: Final = caller
        self._secrets: Final = secrets

    async def notify(self, notice: Notice, *, at: datetime, timeout_seconds: float) -> int:
        """One try; the status that it was answered with. Raises what the caller raises."""
        timestamp = str(int(at.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": notice.id,
            "webhook-id": notice.id,
            "webhook-timestamp": timestamp,
        }
        if notice.secret is not None:
            signed = f"{notice.id}.{timestamp}.{notice.body}"
            headers["webhook-signature"] = sign(self._key(notice.secret), signed.encode())
        request = HttpRequest(method="POST", url=notice.url, headers=headers, body=notice.body)
        return (await self._caller.call(request, timeout_seconds=timeout_seconds)).status

    def _key(self, name: str) -> bytes:
        secret = self._secrets.get(name)
        if not secret:
            raise Misconfigured(
                "notice_secret_missing",
                f"The secret {name} of a notice is not set.",
                hint=f"Set OVERTURE_SECRET_{name}, or {name} under [secrets] in the settings' file.",
            )
        if not secret.startswith(_ENCODED):
            return secret.encode()
        try:
            return base64.b64decode(secret.removeprefix(_ENCODED), validate=True)
        except (binascii.Error, ValueError) as wrong:
            raise Misconfigured(
                "notice_secret_unreadable",
                f"The secret {name} begins with {_ENCODED}, and what follows is no base64.",
                hint="Give it as it was shown to you, or another text.",
            ) from wrong


def sign(key: bytes, signed: bytes) -> str:
    """The signature of a text, as its header holds it."""
    return f"v1,{base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()}"
