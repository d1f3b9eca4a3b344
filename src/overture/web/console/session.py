"""A session of the console: who signed in with which key, in a cookie that only this server can have made.

The cookie names the key, a name for colleagues, and until when it is good, under a MAC whose secret comes from the
key's hash and from the key that the vault seals with. So nothing is kept, every process that has the vault's key knows
it, who reads the database does not, and it ends with its key. The key itself is not in it. Forms carry a token of the
session besides, since a cookie alone says nothing about who made the form.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain.access import Principal, Scope
from overture.web.routes import Admits

LIFE: Final = timedelta(hours=12)  # a working day
LONGEST_NAME: Final = 80
_COOKIE: Final = "overture_session"
_GIVEN: Final = re.compile(r"[A-Za-z0-9_=-]{1,600}\.[0-9a-f]{64}")
_LARGEST: Final = 8192  # bytes of cookies that are looked at


class Session(Struct, frozen=True, kw_only=True):
    """Somebody who has signed in; `token` goes with every form."""

    principal: Principal
    name: str
    token: str

    @property
    def may_act(self) -> bool:
        """Whether its key may do more than look."""
        return self.principal.may(Scope.SEND)


class _Told(Struct, frozen=True, array_like=True):
    kid: str
    name: str
    until: int


_decode: Final = msgspec.json.Decoder(_Told).decode


async def begin(door: Admits, principal: Principal, name: str, now: datetime, *, secure: bool) -> bytes | None:
    """The cookie of a new session; None where the key is no longer good."""
    known = None if principal.kid is None else await door.recall(principal.kid, now)
    if known is None or principal.kid is None:
        return None
    told = _Told(kid=principal.kid, name=name, until=int((now + LIFE).timestamp()))
    body = urlsafe_b64encode(msgspec.json.encode(told)).decode()
    return _cookie(f"{body}.{_mac(known[0], 'session', body)}", int(LIFE.total_seconds()), secure=secure)


def end(*, secure: bool) -> bytes:
    """The cookie that takes a session away."""
    return _cookie("", 0, secure=secure)


async def find(door: Admits | None, headers: Mapping[bytes, bytes], now: datetime) -> Session | None:
    """Who has signed in; None where nobody has, or their time or their key has run out."""
    given = _given(headers)
    if door is None or given is None:
        return None
    body, _, mac = given.partition(".")
    try:
        told = _decode(urlsafe_b64decode(body))
    except (ValueError, msgspec.MsgspecError):
        return None
    known = await door.recall(told.kid, now)
    if known is None or told.until <= now.timestamp() or not hmac.compare_digest(mac, _mac(known[0], "session", body)):
        return None
    if not known[1].may(Scope.READ):
        return None
    return Session(principal=known[1], name=told.name, token=_mac(known[0], "form", body))


def is_of(session: Session, token: str) -> bool:
    """Whether a form was made for a session."""
    return hmac.compare_digest(session.token.encode(), token.encode())


def _given(headers: Mapping[bytes, bytes]) -> str | None:
    cookies = headers.get(b"cookie", b"")[:_LARGEST].decode("latin-1")
    for one in cookies.split(";"):
        name, _, value = one.strip().partition("=")
        if name == _COOKIE:
            return value if _GIVEN.fullmatch(value) else None
    return None


def _cookie(value: str, seconds: int, *, secure: bool) -> bytes:
    text = f"{_COOKIE}={value}; Path=/inbox; Max-Age={seconds}; HttpOnly; SameSite=Strict"
    return (text + "; Secure" if secure else text).encode()


def _mac(known: bytes, purpose: str, body: str) -> str:
    secret = hmac.digest(known, f"overture console {purpose}".encode(), sha256)
    return hmac.digest(secret, body.encode(), sha256).hex()
