"""Adopt what the settings say of accounts and senders: known ones keep their id and the time they were activated."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.ports import Ids
from overture.domain.sender import ForeignOutbound, InboundWay, KeywordHandling, SenderKind
from overture.store import accounts, instances, senders
from overture.store.engine import Writing


class SenderSetting(Struct, frozen=True, kw_only=True):
    """One sender as the operator set it up."""

    account_sid: str
    channel: Channel
    address: str
    kind: SenderKind
    keyword_handling: KeywordHandling
    messaging_service_sid: str | None = None
    inbound_agent_id: str | None = None
    inbound: InboundWay = InboundWay.WEBHOOK
    foreign_outbound: ForeignOutbound = ForeignOutbound.NOTE


async def adopt_settings(
    tx: Writing, workspace_id: str, wanted: Sequence[SenderSetting], now: datetime, ids: Ids
) -> None:
    """Make the workspace's senders those of the settings; others are retired. The caller commits.

    Settings that name none leave all as they are: they are more likely incomplete than meant.
    """
    await instances.add_workspace(tx, workspace_id, workspace_id, now)
    for account_sid in sorted({setting.account_sid for setting in wanted}):
        await accounts.add(tx, workspace_id, account_sid, now)
    present = {(sender.channel, sender.address): sender for sender in await senders.list_active(tx, workspace_id)}
    for setting in wanted:
        known = present.pop((setting.channel, setting.address), None)
        sender = senders.Sender(
            id=ids.new(now) if known is None else known.id,
            workspace_id=workspace_id,
            account_sid=setting.account_sid,
            channel=setting.channel,
            address=setting.address,
            kind=setting.kind,
            messaging_service_sid=setting.messaging_service_sid,
            keyword_handling=setting.keyword_handling,
            inbound_agent_id=setting.inbound_agent_id,
            activated_at=now,
            stopped_at=None,
            stopped_because=None,
            inbound=setting.inbound,
            foreign_outbound=setting.foreign_outbound,
        )
        await senders.upsert(tx, sender, now)
    for gone in present.values() if wanted else ():
        await senders.retire(tx, workspace_id, gone.id, now)
