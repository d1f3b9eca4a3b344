"""Who calls: API keys, checked against the store and remembered for a minute.

A revoked key stops working at once in the process that revoked it, and within a minute in the others. Refusals are
remembered as well, and counted by client address: guessing 256 bits is hopeless, asking the database is not free.
"""

import hmac
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from overture.domain import access
from overture.domain.access import DEFAULT_WORKSPACE, KeyParts, Principal, Scope
from overture.domain.errors import Forbidden, Limited, Unauthenticated
from overture.domain.ports import Vault
from overture.store import api_keys
from overture.store.api_keys import ApiKey
from overture.store.engine import Store
from overture.web.remembered_keys import Remembered, RememberedKeys
from overture.web.routes import Door

_FAILURES: Final = 10  # a minute and client address
_FAILURE_SECONDS: Final = 60.0
_ADDRESSES: Final = 10_000

NOBODY: Final = Principal(workspace_id="", scopes=frozenset())
OPERATOR: Final = Principal(workspace_id=DEFAULT_WORKSPACE, scopes=frozenset({Scope.ADMIN}))
"""The owner of the machine, who comes by a socket that only he can open."""

_KEY_HINT: Final = "Send the key as Authorization: Bearer ovt_live_… (or as X-User-Api-Key)."


class Doorkeeper:
    """Admits callers to routes. With `trusted` everybody is the operator: for the socket of the data folder."""

    def __init__(self, store: Store, keys: RememberedKeys, vault: Vault, *, trusted: bool = False) -> None:
        self._store: Final = store
        self._keys: Final = keys
        self._vault: Final = vault
        self._trusted: Final = trusted
        self._failures: Final[dict[str, tuple[float, int]]] = {}

    async def admit(
        self, may: Scope | Door, headers: Mapping[bytes, bytes], client: tuple[str, int] | None, now: datetime
    ) -> Principal:
        """The caller. Raises Unauthenticated, Forbidden or Limited."""
        if isinstance(may, Door):
            return NOBODY
        if self._trusted:
            return OPERATOR
        principal = await self._principal(headers, "" if client is None else client[0], now)
        if not principal.may(may):
            granted = ", ".join(sorted(principal.scopes)) or "nothing"
            raise Forbidden(
                "scope_missing",
                f"This key may {granted}; the call needs {may}.",
                hint=f"Use a key with the scope {may}.",
            )
        return principal

    async def recall(self, kid: str, now: datetime) -> tuple[bytes, Principal] | None:
        """A secret of ours about a key that is still good, and who has it: for whoever has signed in with it.

        The database alone does not give it away: the vault's key is in it, beside the key's hash.
        """
        known = self._keys.find(kid)
        if known is None or not known.is_fresh:
            known = await self._look_up(kid)
        if known.key is None or not known.key.is_valid(now):
            return None
        secret = hmac.digest(self._vault.derive("sessions"), known.key.secret_sha256.encode(), "sha256")
        return secret, known.principal

    async def _principal(self, headers: Mapping[bytes, bytes], address: str, now: datetime) -> Principal:
        text = _given(headers)
        parts = access.parse_key(text)
        if parts is None:
            self._count_failure(address)
            raise _wrong_key()
        known = self._keys.find(parts.kid)
        if known is None or not known.is_fresh:
            if known is None or known.key is None:
                self._refuse_guessing(address)
            known = await self._look_up(parts.kid)
        if known.key is None or not known.key.is_valid(now) or not _matches(parts, known.key):
            self._count_failure(address)
            raise _wrong_key()
        return known.principal

    async def _look_up(self, kid: str) -> Remembered:
        key = await self._store.read(lambda tx: api_keys.find(tx, kid))
        principal = NOBODY if key is None else Principal(workspace_id=key.workspace_id, scopes=key.scopes, kid=kid)
        return self._keys.remember(kid, key, principal)

    def _refuse_guessing(self, address: str) -> None:
        """A key that was good before is let through even here: its owner may share the address with a guesser."""
        began, count = self._failures.get(address, (0.0, 0))
        left = began + _FAILURE_SECONDS - time.monotonic()
        if count >= _FAILURES and left > 0:
            raise Limited(
                "too_many_wrong_keys",
                "Too many calls with a wrong key came from this address.",
                retry_after_seconds=int(left) + 1,
                hint=_KEY_HINT,
            )

    def _count_failure(self, address: str) -> None:
        self._refuse_guessing(address)
        at = time.monotonic()
        began, count = self._failures.pop(address, (at, 0))
        if began + _FAILURE_SECONDS < at:
            began, count = at, 0
        if len(self._failures) >= _ADDRESSES:
            del self._failures[next(iter(self._failures))]
        self._failures[address] = (began, count + 1)


def _given(headers: Mapping[bytes, bytes]) -> str:
    """The key's text in the headers; Authorization wins. Raises Unauthenticated where there is none."""
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, text = authorization.partition(b" ")
        if scheme.lower() == b"bearer" and (bare := text.strip()):
            return bare.decode("latin-1")
    elif given := headers.get(b"x-user-api-key", b"").strip():
        return given.decode("latin-1")
    raise Unauthenticated("key_missing", "Missing or invalid Authorization header", hint=_KEY_HINT)


def refuse_key_in(query: bytes) -> None:
    """Refuse a key in the URL: proxies and browsers write URLs down. Raises Unauthenticated."""
    if access.PREFIX.encode() in query:
        raise Unauthenticated(
            "key_in_url",
            "A key never belongs into the URL, where logs and proxies keep it.",
            hint="Revoke this key, and send the new one in the Authorization header.",
        )


def _matches(parts: KeyParts, key: ApiKey) -> bool:
    return hmac.compare_digest(access.fingerprint(parts.secret), key.secret_sha256)


def _wrong_key() -> Unauthenticated:
    return Unauthenticated(
        "key_invalid",
        "Unauthorized: Invalid or expired token.",
        hint="Make a key with `overture keys create`, or check that this one was not revoked.",
    )
