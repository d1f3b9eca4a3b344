"""Set a provider account up over the API, or change it: what is not asked for stays as it is."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from overture.domain import account
from overture.domain.account import Urls
from overture.domain.errors import Conflict, Invalid, NotAllowed, Unknown
from overture.domain.ports import Vault
from overture.store import credentials
from overture.store.credentials import StoredAccount
from overture.store.engine import Reading, Writing

_URL_FIELDS: Final = {"api_url": "api", "content_url": "content", "messaging_url": "messaging", "media_url": "media"}


class AccountChange(Struct, frozen=True, kw_only=True):
    """What is asked of an account: UNSET leaves it as it is, None takes it away.

    `keep_auth_token` makes the token that was first the second: webhooks signed with it are still taken. No secret
    shows in its representation.
    """

    name: str | UnsetType | None = UNSET
    parent_sid: str | UnsetType | None = UNSET
    region: str | UnsetType | None = UNSET
    edge: str | UnsetType | None = UNSET
    api_url: str | UnsetType | None = UNSET
    content_url: str | UnsetType | None = UNSET
    messaging_url: str | UnsetType | None = UNSET
    media_url: str | UnsetType | None = UNSET
    auth_token: str | UnsetType = UNSET
    second_auth_token: str | UnsetType | None = UNSET
    keep_auth_token: bool = False
    api_key_sid: str | UnsetType | None = UNSET
    api_key_secret: str | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return "AccountChange(...)"


async def save_account(
    tx: Writing,
    workspace_id: str,
    sid: str,
    asked: AccountChange,
    *,
    of_settings: Collection[tuple[str, str]],
    vault: Vault,
    now: datetime,
    may_add: bool = True,
) -> StoredAccount:
    """Keep an account with what is asked, its secrets sealed; its stopped senders try again. The caller commits.

    `of_settings` are the accounts that only the settings may change, each with its workspace. Raises Invalid,
    NotAllowed, Conflict, Unknown where it is not there and `may_add` is not given, and Misconfigured.
    """
    refuse_of_settings(workspace_id, sid, of_settings)
    known = await credentials.lock(tx, workspace_id, sid)
    if known is None and not may_add:
        raise unknown_account(sid)
    _check(sid, asked)
    if known is None:
        if asked.auth_token is UNSET:
            raise _invalid("auth_token", "A new account needs its auth token: Twilio signs webhooks with nothing else.")
        await refuse_taken(tx, workspace_id, sid, of_settings, field="sid")
        if not await credentials.claim(tx, workspace_id, sid, now):
            raise _taken(sid, "sid")
    whole = _changed(known or _blank(workspace_id, sid, now), asked, vault, now)
    if (whole.api_key_sid is None) != (whole.api_key_secret is None):
        raise _invalid("api_key_secret", "An API key is its SID and its secret: give both, or take both away.")
    await credentials.save(tx, whole)
    await credentials.resume_senders(tx, workspace_id, sid)
    return whole


def refuse_of_settings(workspace_id: str, sid: str, of_settings: Collection[tuple[str, str]]) -> None:
    """Refuse to change what the settings set up. Raises NotAllowed."""
    if (workspace_id, sid) in of_settings:
        raise NotAllowed(
            "account_of_settings",
            f"Account {sid} is set up in the settings, which alone may change it.",
            field="sid",
            hint="Change the settings and start the server anew, or take it out of them first.",
        )


async def refuse_taken(
    tx: Reading, workspace_id: str, sid: str, of_settings: Collection[tuple[str, str]], *, field: str
) -> None:
    """Refuse an account that another workspace uses, or ever sent from. Raises Conflict."""
    elsewhere = any(theirs == sid and owner != workspace_id for owner, theirs in of_settings)
    if elsewhere or await credentials.is_taken(tx, workspace_id, sid):
        raise _taken(sid, field)


def unknown_account(sid: str) -> Unknown:
    """The refusal where an account is not there."""
    return Unknown(
        "account_unknown",
        f"There is no account {sid}.",
        field="account_sid",
        hint="GET /overture/v1/accounts lists them.",
    )


def _check(sid: str, asked: AccountChange) -> None:
    """Refuse what has not the form it must have; nothing that may be a secret is repeated. Raises Invalid."""
    if not account.is_account_sid(sid):
        raise _invalid("sid", f"{sid[:40]!r} is no account SID: AC and 32 digits or letters a to f.")
    if isinstance(asked.parent_sid, str) and (not account.is_account_sid(asked.parent_sid) or asked.parent_sid == sid):
        raise _invalid("parent_sid", "parent_sid must be the SID of another account.")
    for field in ("auth_token", "second_auth_token", "api_key_secret"):
        given = getattr(asked, field)
        if isinstance(given, str) and not account.is_secret(given):
            raise _invalid(field, f"{field} must be 1 to 200 printable ASCII characters, without spaces around them.")
    if isinstance(asked.api_key_sid, str) and not account.is_api_key_sid(asked.api_key_sid):
        raise _invalid("api_key_sid", "api_key_sid must be SK and 32 digits or letters a to f.")
    for field in ("region", "edge"):
        given = getattr(asked, field)
        if isinstance(given, str) and not account.is_place(given):
            raise _invalid(field, f"{field} must be a name like ie1 or dublin.")
    for field in _URL_FIELDS:
        given = getattr(asked, field)
        if isinstance(given, str) and account.read_url(given) is None:
            raise _invalid(field, f"{field} must be an http or https address without a user, a query or a fragment.")


def _changed(known: StoredAccount, asked: AccountChange, vault: Vault, now: datetime) -> StoredAccount:
    told = {
        field: None if value == "" else value
        for field in ("name", "parent_sid", "region", "edge")
        if (value := getattr(asked, field)) is not UNSET
    }
    sealed: dict[str, str | None] = {}
    if asked.keep_auth_token and asked.auth_token is not UNSET and known.auth_token is not None:
        first = vault.unseal(known.auth_token, known.place_of("auth_token"))
        sealed["second_auth_token"] = vault.seal(first, known.place_of("second_auth_token"))
    for field in credentials.SECRETS:
        value = getattr(asked, field)
        if value is not UNSET:
            sealed[field] = None if value is None else vault.seal(value, known.place_of(field))
    moved = msgspec.structs.replace(known, **told, **sealed, changed_at=now)
    return msgspec.structs.replace(moved, urls=_urls(known, moved, asked))


def _urls(known: StoredAccount, moved: StoredAccount, asked: AccountChange) -> Urls:
    """Where the APIs are: each where it is asked to be, else beside the API's new place, else where it was."""
    usual = account.urls_at(region=moved.region, edge=moved.edge)
    stays = (known.region, known.edge) == (moved.region, moved.edge)
    if asked.api_url is not UNSET:
        stays = False
        usual = account.urls_of(account.read_url(asked.api_url) or usual.api) if asked.api_url else usual
    given = {}
    for field, name in _URL_FIELDS.items():
        value = getattr(asked, field)
        if value is UNSET:
            given[name] = getattr(known.urls if stays else usual, name)
        else:
            given[name] = (account.read_url(value) if value else None) or getattr(usual, name)
    return Urls(**given)


def _blank(workspace_id: str, sid: str, now: datetime) -> StoredAccount:
    return StoredAccount(
        workspace_id=workspace_id,
        sid=sid,
        name=None,
        parent_sid=None,
        region=None,
        edge=None,
        urls=Urls(),
        auth_token=None,
        second_auth_token=None,
        api_key_sid=None,
        api_key_secret=None,
        created_at=now,
        changed_at=now,
    )


def _taken(sid: str, field: str) -> Conflict:
    return Conflict(
        "account_taken",
        f"Account {sid} belongs to another workspace.",
        field=field,
        hint="An account is used by one workspace; give a sub-account to the other.",
    )


def _invalid(field: str, description: str) -> Invalid:
    return Invalid("invalid_request", description, field=field)
