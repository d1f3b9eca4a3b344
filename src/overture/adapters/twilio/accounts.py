"""The accounts in force: one object, which the client, the verifier and the media fetcher look into each time.

What it holds is replaced as a whole while they run; a request that is on its way ends with what it began with.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from overture.domain.account import Credentials


class TwilioAccount(Struct, frozen=True, kw_only=True):
    """Where an account's API is, and how to log in: with an API key where there is one, else with the auth token.

    `old_auth_tokens` are on their way out, or not in force yet: they sign webhooks, and send nothing. The other
    APIs may have addresses of their own; without one each has that of the messages. Its secrets never show in its
    representation.
    """

    sid: str
    auth_token: str = ""
    api_key_sid: str = ""
    api_key_secret: str = ""
    base_url: str = "https://api.twilio.com"
    content_url: str = ""
    messaging_url: str = ""
    media_url: str = ""
    old_auth_tokens: tuple[str, ...] = ()

    @property
    def authorization(self) -> str:
        """The value of the Authorization header."""
        user, password = (self.api_key_sid, self.api_key_secret) if self.api_key_sid else (self.sid, self.auth_token)
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    @property
    def signing_tokens(self) -> tuple[str, ...]:
        """The auth tokens that a webhook of its may be signed with."""
        return tuple(token for token in (self.auth_token, *self.old_auth_tokens) if token)

    def __repr__(self) -> str:
        return f"TwilioAccount(sid={self.sid!r}, base_url={self.base_url!r})"


class TwilioAccounts(Mapping[str, TwilioAccount]):
    """Accounts by SID: those of the settings, which stay and go first, and stored ones, which come and go."""

    def __init__(self, settings: Iterable[Credentials] = ()) -> None:
        self._settings: Final = tuple(settings)
        self._in_force: dict[str, TwilioAccount] = {}
        self.tokens: Final[Mapping[str, Sequence[str]]] = _Tokens(self)
        self.replace(())

    def of_settings(self) -> Sequence[Credentials]:
        """Those of the settings."""
        return self._settings

    def replace(self, stored: Sequence[Credentials]) -> None:
        """Use these from now on, beside those of the settings."""
        self._in_force = {one.sid: _account(one) for one in (*stored, *self._settings)}

    def __getitem__(self, sid: str) -> TwilioAccount:
        return self._in_force[sid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._in_force)

    def __len__(self) -> int:
        return len(self._in_force)

    def __repr__(self) -> str:
        return f"TwilioAccounts({sorted(self._in_force)!r})"


class _Tokens(Mapping[str, Sequence[str]]):
    """The tokens that the accounts in force sign with, by SID."""

    def __init__(self, accounts: TwilioAccounts) -> None:
        self._accounts: Final = accounts

    def __getitem__(self, sid: str) -> Sequence[str]:
        return self._accounts[sid].signing_tokens

    def __iter__(self) -> Iterator[str]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)

    def __repr__(self) -> str:
        return f"tokens of {sorted(self._accounts)!r}"


def _account(given: Credentials) -> TwilioAccount:
    return TwilioAccount(
        sid=given.sid,
        auth_token=given.auth_tokens[0] if given.auth_tokens else "",
        old_auth_tokens=given.auth_tokens[1:],
        api_key_sid=given.api_key_sid,
        api_key_secret=given.api_key_secret,
        base_url=given.urls.api,
        content_url=given.urls.content,
        messaging_url=given.urls.messaging,
        media_url=given.urls.media,
    )
