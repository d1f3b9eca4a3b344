"""Provider accounts at run time: set one up, change it, take it away; its secrets are sealed and never shown."""

from collections.abc import Collection
from typing import Any

import msgspec

from overture.actions.load_accounts import open_account
from overture.actions.remove_account import remove_account
from overture.actions.reseal_secrets import list_sealed, reseal_account
from overture.actions.save_account import AccountChange, save_account, unknown_account
from overture.domain.access import DEFAULT_WORKSPACE, Scope
from overture.domain.account import Credentials, Origin, Urls
from overture.domain.errors import Forbidden, Misconfigured
from overture.domain.ports import Vault
from overture.store import credentials
from overture.store.credentials import StoredAccount
from overture.web.api.account_shapes import (
    ChangedAccount,
    NewAccount,
    ProviderAccountList,
    ProviderAccountView,
    RotatedSecrets,
    UrlsView,
)
from overture.web.parts import Parts
from overture.web.routes import Answer, Call, delete, get, patch, post


@get("/overture/v1/accounts", may=Scope.ADMIN, gives=ProviderAccountList, tag="Accounts")
async def list_accounts(call: Call[None, None]) -> ProviderAccountList:
    """List the provider accounts.

    Those of the settings are among them, and cannot be changed here.
    """
    of_settings = _of_settings(call)
    stored = await call.parts.store.read(lambda tx: credentials.list_all(tx, call.workspace_id))
    named = {one.sid for one in of_settings}
    beside = [_view(one, call.parts.vault) for one in stored if one.sid not in named]
    return ProviderAccountList(accounts=[*map(_view_of_settings, of_settings), *beside])


@post(
    "/overture/v1/accounts",
    may=Scope.ADMIN,
    takes=NewAccount,
    gives=ProviderAccountView,
    tag="Accounts",
    example={"sid": "AC00000000000000000000000000000001", "name": "Salon", "auth_token": "..."},
    refusals=(400,),
)
async def save_provider_account(call: Call[NewAccount, None]) -> ProviderAccountView:
    """Set up a provider account, or change the one that is there.

    It is used at once here, and within seconds by other processes. A sub-account is an account of its own: it signs
    its webhooks with its own auth token.
    """
    return await _save(call, call.body.sid, call.body, may_add=True)


@get("/overture/v1/accounts/{account_sid}", may=Scope.ADMIN, gives=ProviderAccountView, tag="Accounts", refusals=(404,))
async def get_account(call: Call[None, None]) -> ProviderAccountView:
    """Get a provider account.

    Of its secrets only which are set.
    """
    sid = call.path["account_sid"]
    of_settings = next((one for one in _of_settings(call) if one.sid == sid), None)
    if of_settings is not None:
        return _view_of_settings(of_settings)
    stored = await call.parts.store.read(lambda tx: credentials.find(tx, call.workspace_id, sid))
    if stored is None:
        raise unknown_account(sid)
    return _view(stored, call.parts.vault)


@patch(
    "/overture/v1/accounts/{account_sid}",
    may=Scope.ADMIN,
    takes=ChangedAccount,
    gives=ProviderAccountView,
    tag="Accounts",
    example={"auth_token": "...", "keep_auth_token": True},
    refusals=(400, 404),
)
async def change_account(call: Call[ChangedAccount, None]) -> ProviderAccountView:
    """Change a provider account.

    To rotate its auth token, give the new one with `keep_auth_token`; when Twilio signs with the new one, take the old
    away with `"second_auth_token": null`.
    """
    return await _save(call, call.path["account_sid"], call.body, may_add=False)


@delete("/overture/v1/accounts/{account_sid}", may=Scope.ADMIN, status=204, tag="Accounts", refusals=(400, 404))
async def remove_provider_account(call: Call[None, None]) -> Any:
    """Take a provider account away.

    Its senders must be removed first. What was said over it stays on record.
    """
    sid, of_settings = call.path["account_sid"], owners_of_settings(call.parts)
    await call.parts.store.write(
        lambda tx: remove_account(tx, call.workspace_id, sid, of_settings=of_settings, now=call.now)
    )
    await _put_in_force(call.parts)
    return Answer(status=204)


@post("/overture/v1/secrets/rotate", may=Scope.ADMIN, gives=RotatedSecrets, tag="Accounts", refusals=(403,))
async def rotate_secrets(call: Call[None, None]) -> RotatedSecrets:
    """Seal every stored secret anew with the first key.

    Only over the local socket; `overture secrets rotate` does it, while everything runs.
    """
    if call.principal.kid is not None:
        raise Forbidden(
            "operator_only", "Secrets are sealed anew at the machine itself.", hint="Run `overture secrets rotate`."
        )
    store, vault, resealed, current = call.parts.store, call.parts.vault, 0, 0
    for workspace_id, sid in await store.read(list_sealed):
        done, total = await store.write(
            lambda tx, owner=workspace_id, sid=sid: reseal_account(tx, owner, sid, vault, call.now)  # type: ignore[misc]
        )
        resealed, current = resealed + done, current + total - done
    return RotatedSecrets(resealed=resealed, current=current)


def owners_of_settings(parts: Parts) -> Collection[tuple[str, str]]:
    """The accounts of the settings, each with the workspace it belongs to."""
    return {(DEFAULT_WORKSPACE, one.sid) for one in parts.accounts.of_settings()}


def _of_settings(call: Call[Any, Any]) -> list[Credentials]:
    return list(call.parts.accounts.of_settings()) if call.workspace_id == DEFAULT_WORKSPACE else []


async def _save(call: Call[Any, Any], sid: str, asked: ChangedAccount, *, may_add: bool) -> ProviderAccountView:
    change = AccountChange(**{name: getattr(asked, name) for name in AccountChange.__struct_fields__})
    of_settings, vault = owners_of_settings(call.parts), call.parts.vault
    saved = await call.parts.store.write(
        lambda tx: save_account(
            tx,
            call.workspace_id,
            sid,
            change,
            of_settings=of_settings,
            vault=vault,
            now=call.now,
            may_add=may_add,
        )
    )
    await _put_in_force(call.parts)
    return _view(saved, vault)


async def _put_in_force(parts: Parts) -> None:
    await parts.refresh_accounts()
    for road in ("accounts", "sweep", "outbox"):
        parts.signals.wake(road)


def _view_of_settings(one: Credentials) -> ProviderAccountView:
    return ProviderAccountView(
        sid=one.sid,
        origin=Origin.SETTINGS,
        name=None,
        parent_sid=None,
        region=None,
        edge=None,
        urls=_urls(one.urls),
        auth_tokens=len(one.auth_tokens),
        has_api_key=bool(one.api_key_sid),
        api_key_ends_with=one.api_key_sid[-4:] or None,
        problem=None,
        created_at=None,
        changed_at=None,
    )


def _view(one: StoredAccount, vault: Vault) -> ProviderAccountView:
    problem, ends_with = None, None
    try:
        ends_with = open_account(one, vault).api_key_sid[-4:] or None
    except Misconfigured as wrong:
        problem = wrong.description
    return ProviderAccountView(
        sid=one.sid,
        origin=Origin.API,
        name=one.name,
        parent_sid=one.parent_sid,
        region=one.region,
        edge=one.edge,
        urls=_urls(one.urls),
        auth_tokens=sum(token is not None for token in (one.auth_token, one.second_auth_token)),
        has_api_key=one.api_key_sid is not None,
        api_key_ends_with=ends_with,
        problem=problem,
        created_at=one.created_at,
        changed_at=one.changed_at,
    )


def _urls(urls: Urls) -> UrlsView:
    return msgspec.convert(urls, UrlsView, from_attributes=True)
