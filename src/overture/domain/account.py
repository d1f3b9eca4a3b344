"""A provider account: what opens it, where its API is, and who gave both.

Twilio's regions have hosts of their own, `api.{edge}.{region}.twilio.com`, and each region its own auth token and API
keys. Source: Twilio, Global Infrastructure: "FQDN structure", regions and edge locations.
"""

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

_SID: Final = re.compile(r"AC[0-9a-f]{32}")
_KEY_SID: Final = re.compile(r"SK[0-9a-f]{32}")
_SECRET: Final = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")
_URL: Final = re.compile(
    r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,4}|:[1-5][0-9]{4})?"
    r"(?:/[!$-.0-;=@-Z_a-z~]+)*"
)
_TWILIO: Final = re.compile(r"https://api\.((?:[a-z0-9-]+\.)*twilio\.com)")
_LONGEST_URL: Final = 500
_LABEL: Final = re.compile(r"[a-z]{2,20}(?:-[a-z]{2,20})*[0-9]{0,2}")
_NEAREST: Final = {"us1": "ashburn", "ie1": "dublin", "au1": "sydney"}


class Origin(StrEnum):
    """Who set something up: the settings, which alone may change it then, or the API."""

    SETTINGS = "settings"
    API = "api"


class Urls(Struct, frozen=True, kw_only=True):
    """Where an account's APIs are, each without a path."""

    api: str = "https://api.twilio.com"
    content: str = "https://content.twilio.com"
    messaging: str = "https://messaging.twilio.com"
    media: str = "https://api.twilio.com"


class Credentials(Struct, frozen=True, kw_only=True):
    """What opens an account. `auth_tokens` are two while one is being rotated, the one for sending first.

    An API key, where there is one, is used for sending; webhooks are always signed with an auth token. No secret shows
    in its representation.
    """

    sid: str
    auth_tokens: tuple[str, ...] = ()
    api_key_sid: str = ""
    api_key_secret: str = ""
    urls: Urls = Urls()

    def __repr__(self) -> str:
        return f"Credentials(sid={self.sid!r}, urls={self.urls!r})"


def is_account_sid(text: str) -> bool:
    """Whether a text has the form of an account's SID."""
    return _SID.fullmatch(text) is not None


def is_place(text: str) -> bool:
    """Whether a text has the form of a region or an edge: it becomes a part of a host's name."""
    return _LABEL.fullmatch(text) is not None


def nearest_edge(region: str) -> str | None:
    """The edge that stands in a region, None where we know none."""
    return _NEAREST.get(region)


def urls_at(*, region: str | None, edge: str | None) -> Urls:
    """Where the APIs of a region are, by way of an edge: without a region those of us1, without both the usual ones."""
    if region is None and edge is None:
        return Urls()
    there = region or "us1"
    by = edge or nearest_edge(there)
    where = f"{there}.twilio.com" if by is None else f"{by}.{there}.twilio.com"
    return Urls(
        api=f"https://api.{where}",
        content=f"https://content.{where}",
        messaging=f"https://messaging.{where}",
        media=f"https://api.{where}",
    )


def urls_of(api: str) -> Urls:
    """Where the other APIs are, by where the first one is: beside it at Twilio, at the same address elsewhere."""
    found = _TWILIO.fullmatch(api)
    if found is None:
        return Urls(api=api, content=api, messaging=api, media=api)
    where = found[1]
    return Urls(api=api, content=f"https://content.{where}", messaging=f"https://messaging.{where}", media=api)


def read_url(text: str) -> str | None:
    """The address of an API, None where a text is no http or https address without a user, a query or a fragment."""
    bare = text.strip().rstrip("/")
    return bare if _URL.fullmatch(bare) and len(bare) <= _LONGEST_URL else None


def is_secret(text: str) -> bool:
    """Whether a text may be a token or a key's secret: it travels in a header, and people paste it."""
    return _SECRET.fullmatch(text) is not None


def is_api_key_sid(text: str) -> bool:
    """Whether a text has the form of an API key's SID."""
    return _KEY_SID.fullmatch(text) is not None
