"""Set a sender up over the API, or change one: a number of ours on a channel of an account."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from overture.actions.save_account import refuse_taken
from overture.actions.save_pool import save_own_pace
from overture.domain.account import Origin
from overture.domain.channel import WHATSAPP_PREFIX, Channel
from overture.domain.errors import Conflict, Invalid, NotAllowed, Unknown
from overture.domain.numbers import read_number
from overture.domain.ports import Ids
from overture.domain.sender import ForeignOutbound, InboundWay, KeywordHandling, kind_of, usual_handling
from overture.store import accounts, agents, credentials, instances, senders
from overture.store.accounts import ShutBecause
from overture.store.engine import Reading, Writing
from overture.store.senders import Sender

_SERVICE: Final = re.compile(r"MG[0-9a-f]{32}")
_SHORT_CODE: Final = re.compile(r"[0-9]{3,8}")
_LETTERS: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_.-]{1,11}")  # what Twilio takes for an alphanumeric sender


class SenderChange(Struct, frozen=True, kw_only=True):
    """What may change of a sender: UNSET leaves it as it is, None takes it away (or back to what is usual)."""

    agent_id: str | UnsetType | None = UNSET
    messaging_service_sid: str | UnsetType | None = UNSET
    keyword_handling: KeywordHandling | UnsetType | None = UNSET
    inbound: InboundWay | UnsetType | None = UNSET
    foreign_outbound: ForeignOutbound | UnsetType | None = UNSET
    pace_per_second: float | UnsetType | None = UNSET


async def save_sender(
    tx: Writing,
    workspace_id: str,
    *,
    account_sid: str,
    channel: Channel,
    address: str,
    asked: SenderChange,
    of_settings: Collection[tuple[str, str]],
    now: datetime,
    ids: Ids,
) -> Sender:
    """Activate a sender, or change the one that is there. The caller commits.

    `of_settings` are the accounts that the settings set up, each with its workspace. One that was in use before keeps
    its id and the time it was first activated. What is new sends after the next sweep of its account, so that what was
    written meanwhile is known. Raises Invalid, Unknown, NotAllowed, Conflict.
    """
    number = read_sender(channel, address)
    await instances.lock_workspace(tx, workspace_id, now)
    await _refuse_unusable(tx, workspace_id, account_sid, of_settings)
    await accounts.add(tx, workspace_id, account_sid, now)
    known = await senders.lock_at(tx, workspace_id, channel, number)
    if known is not None and known.removed_at is None:
        refuse_sender_of_settings(known)
        if known.account_sid != account_sid:
            raise Conflict(
                "sender_exists",
                f"{channel}:{number} is a sender of account {known.account_sid} already.",
                field="address",
                hint=f"Remove it first: DELETE /overture/v1/senders/{known.id}.",
            )
        return await change_sender(tx, known, asked)
    kind = kind_of(WHATSAPP_PREFIX + number if channel is Channel.WHATSAPP else number)
    bare = Sender(
        id=ids.new(now) if known is None else known.id,
        workspace_id=workspace_id,
        account_sid=account_sid,
        channel=channel,
        address=number,
        kind=kind,
        messaging_service_sid=None,
        keyword_handling=usual_handling(kind),
        inbound_agent_id=None,
        activated_at=now if known is None or known.activated_at is None else known.activated_at,
        stopped_at=None,
        stopped_because=None,
        origin=Origin.API,
    )
    whole = await _changed(tx, bare, asked)
    await senders.upsert(tx, whole, now)
    await _keep_pace(tx, whole, asked)
    await senders.shut(tx, workspace_id, whole.id, ShutBecause.START, now)
    return whole


async def _refuse_unusable(
    tx: Writing, workspace_id: str, account_sid: str, of_settings: Collection[tuple[str, str]]
) -> None:
    stored = await credentials.lock(tx, workspace_id, account_sid)
    if stored is None and (workspace_id, account_sid) not in of_settings:
        raise Unknown(
            "account_unknown",
            f"There is no account {account_sid[:40]}.",
            field="account_sid",
            hint="Add it first: POST /overture/v1/accounts, or `overture accounts add`.",
        )
    await refuse_taken(tx, workspace_id, account_sid, of_settings, field="account_sid")


async def change_sender(tx: Writing, known: Sender, asked: SenderChange) -> Sender:
    """Change a sender that is in use. The caller commits. Raises NotAllowed, Invalid, Unknown."""
    refuse_sender_of_settings(known)
    whole = await _changed(tx, known, asked)
    await senders.change(tx, whole)
    await _keep_pace(tx, whole, asked)
    return whole


async def _keep_pace(tx: Writing, whole: Sender, asked: SenderChange) -> None:
    pace = asked.pace_per_second
    if pace is not UNSET:
        await save_own_pace(tx, whole.workspace_id, whole.id, whole.channel, whole.address, pace)


def refuse_sender_of_settings(known: Sender) -> None:
    """Refuse to change what the settings set up. Raises NotAllowed."""
    if known.origin is Origin.SETTINGS:
        raise NotAllowed(
            "sender_of_settings",
            f"The sender {known.channel}:{known.address} is set up in the settings, which alone may change it.",
            hint="Change OVERTURE_SENDERS (or [[senders]]) and start the server anew.",
        )


def read_sender(channel: Channel, address: str) -> str:
    """The number of a sender as it is stored. Raises Invalid, with the reason."""
    if channel is Channel.API:
        raise Invalid("invalid_request", "A sender is one for sms or whatsapp.", field="channel")
    bare = address.strip()
    if channel is Channel.WHATSAPP:
        bare = bare.removeprefix(WHATSAPP_PREFIX)
    elif _SHORT_CODE.fullmatch(bare):
        return bare
    number = read_number(bare) if bare.startswith("+") else None
    if number is not None:
        return number
    if _LETTERS.fullmatch(bare):
        raise Invalid(
            "sender_alphanumeric",
            "A name instead of a number cannot receive replies, so no conversation can be had from it.",
            field="address",
            hint="Use a number, a toll-free number, a short code or a WhatsApp sender.",
        )
    also = "" if channel is Channel.WHATSAPP else ", or a short code of 3 to 8 digits"
    raise Invalid(
        "invalid_request",
        "address is no number that can exist.",
        field="address",
        hint=f"Write it with + and country code, like +15551234567{also}.",
    )


async def _changed(tx: Reading, known: Sender, asked: SenderChange) -> Sender:
    service, agent_id, handling = asked.messaging_service_sid, asked.agent_id, asked.keyword_handling
    inbound, foreign, pace = asked.inbound, asked.foreign_outbound, asked.pace_per_second
    if isinstance(service, str) and not _SERVICE.fullmatch(service):
        raise Invalid(
            "invalid_request",
            "messaging_service_sid must be MG and 32 digits or letters a to f.",
            field="messaging_service_sid",
        )
    if isinstance(agent_id, str):
        await _refuse_unknown_agent(tx, known.workspace_id, agent_id)
    return msgspec.structs.replace(
        known,
        messaging_service_sid=known.messaging_service_sid if service is UNSET else service,
        inbound_agent_id=known.inbound_agent_id if agent_id is UNSET else agent_id,
        keyword_handling=known.keyword_handling if handling is UNSET else handling or usual_handling(known.kind),
        inbound=known.inbound if inbound is UNSET else inbound or InboundWay.WEBHOOK,
        foreign_outbound=known.foreign_outbound if foreign is UNSET else foreign or ForeignOutbound.NOTE,
        pace_per_second=known.pace_per_second if pace is UNSET else pace,
    )


async def _refuse_unknown_agent(tx: Reading, workspace_id: str, agent_id: str) -> None:
    if await agents.find(tx, workspace_id, agent_id) is None:
        raise Unknown(
            "agent_unknown",
            f"There is no agent {agent_id[:64]}.",
            field="agent",
            hint="GET /overture/v1/agents lists them.",
        )
