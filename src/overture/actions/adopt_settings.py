"""Adopt what the settings say of accounts and senders: known ones keep their id and the time they were activated."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from overture.actions.save_pool import save_own_pace
from overture.domain.account import Origin
from overture.domain.channel import WHATSAPP_PREFIX, Channel
from overture.domain.ports import Ids
from overture.domain.sender import ForeignOutbound, InboundWay, KeywordHandling, kind_of, usual_handling
from overture.store import accounts, instances, senders
from overture.store.engine import Writing


class SenderSetting(Struct, frozen=True, kw_only=True):
    """One sender as the operator set it up; without `keyword_handling` it is the one that is usual for its kind."""

    account_sid: str
    channel: Channel
    address: str
    keyword_handling: KeywordHandling | None = None
    messaging_service_sid: str | None = None
    inbound_agent_id: str | None = None
    inbound: InboundWay = InboundWay.WEBHOOK
    foreign_outbound: ForeignOutbound = ForeignOutbound.NOTE
    pace_per_second: float | None = None


async def adopt_settings(
    tx: Writing, workspace_id: str, wanted: Sequence[SenderSetting], now: datetime, ids: Ids
) -> None:
    """Make the workspace's senders those of the settings, beside those of the API; others are retired.

    The caller commits. Settings that name none leave all as they are: they are more likely incomplete than meant.
    """
    await instances.add_workspace(tx, workspace_id, workspace_id, now)
    for account_sid in sorted({setting.account_sid for setting in wanted}):
        await accounts.add(tx, workspace_id, account_sid, now)
    present = {(sender.channel, sender.address): sender for sender in await senders.list_active(tx, workspace_id)}
    for setting in wanted:
        known = present.pop((setting.channel, setting.address), None)
        kind = kind_of(WHATSAPP_PREFIX + setting.address if setting.channel is Channel.WHATSAPP else setting.address)
        sender = senders.Sender(
            id=ids.new(now) if known is None else known.id,
            workspace_id=workspace_id,
            account_sid=setting.account_sid,
            channel=setting.channel,
            address=setting.address,
            kind=kind,
            messaging_service_sid=setting.messaging_service_sid,
            keyword_handling=setting.keyword_handling or usual_handling(kind),
            inbound_agent_id=setting.inbound_agent_id,
            activated_at=now,
            stopped_at=None,
            stopped_because=None,
            inbound=setting.inbound,
            foreign_outbound=setting.foreign_outbound,
        )
        await senders.upsert(tx, sender, now)
        await save_own_pace(tx, workspace_id, sender.id, sender.channel, sender.address, setting.pace_per_second)
    for gone in present.values() if wanted else ():
        if gone.origin is Origin.SETTINGS:
            await senders.retire(tx, workspace_id, gone.id, now)
