"""Senders at run time: activate one, change it, retire it."""

from typing import Any

from overture.actions.retire_sender import retire_sender, unknown_sender
from overture.actions.save_sender import SenderChange, change_sender, save_sender
from overture.domain.access import Scope
from overture.store import senders
from overture.store.engine import Writing
from overture.store.senders import Sender
from overture.web.api.account_shapes import ChangedSender, NewSender, SenderList, SenderView
from overture.web.api.accounts import owners_of_settings
from overture.web.routes import Answer, Call, delete, get, patch, post


@get("/overture/v1/senders", may=Scope.ADMIN, gives=SenderList, tag="Accounts")
async def list_senders(call: Call[None, None]) -> SenderList:
    """List the senders in use.

    Those of the settings are among them, and cannot be changed here.
    """
    found = await call.parts.store.read(lambda tx: senders.list_active(tx, call.workspace_id))
    return SenderList(senders=[_view(one) for one in found])


@post(
    "/overture/v1/senders",
    may=Scope.ADMIN,
    takes=NewSender,
    gives=SenderView,
    tag="Accounts",
    example={"account_sid": "AC00000000000000000000000000000001", "channel": "sms", "address": "+15551234567"},
    refusals=(400,),
)
async def activate_sender(call: Call[NewSender, None]) -> SenderView:
    """Activate a sender, or change the one that is there.

    It sends as soon as its account's list of messages was read. What was written to it before it was first activated
    is never answered.
    """
    asked, of_settings = call.body, owners_of_settings(call.parts)
    saved = await call.parts.store.write(
        lambda tx: save_sender(
            tx,
            call.workspace_id,
            account_sid=asked.account_sid,
            channel=asked.channel,
            address=asked.address,
            asked=_change(asked),
            of_settings=of_settings,
            now=call.now,
            ids=call.parts.ids,
        )
    )
    call.parts.signals.wake("sweep")
    return _view(saved)


@get("/overture/v1/senders/{sender_id}", may=Scope.ADMIN, gives=SenderView, tag="Accounts", refusals=(404,))
async def get_sender(call: Call[None, None]) -> SenderView:
    """Get a sender.

    As long as it is in use.
    """
    sender_id = call.path["sender_id"]
    found = await call.parts.store.read(lambda tx: senders.find(tx, call.workspace_id, sender_id))
    if found is None:
        raise unknown_sender(sender_id)
    return _view(found)


@patch(
    "/overture/v1/senders/{sender_id}",
    may=Scope.ADMIN,
    takes=ChangedSender,
    gives=SenderView,
    tag="Accounts",
    example={"agent": "2a886b7d-d52d-4f8b-8ea0-19d3edc79214"},
    refusals=(400, 404),
)
async def change_one_sender(call: Call[ChangedSender, None]) -> SenderView:
    """Change a sender.

    Who answers it, who answers STOP, and the Messaging Service that it sends by.
    """
    sender_id, asked = call.path["sender_id"], _change(call.body)

    async def change(tx: Writing) -> Sender:
        known = await senders.lock(tx, call.workspace_id, sender_id)
        if known is None:
            raise unknown_sender(sender_id)
        return await change_sender(tx, known, asked)

    return _view(await call.parts.store.write(change))


@delete("/overture/v1/senders/{sender_id}", may=Scope.ADMIN, status=204, tag="Accounts", refusals=(400, 404))
async def retire_one_sender(call: Call[None, None]) -> Any:
    """Retire a sender.

    Nothing is sent from it or answered any more; a STOP to it still counts. What was said stays on record.
    """
    sender_id = call.path["sender_id"]
    await call.parts.store.write(lambda tx: retire_sender(tx, call.workspace_id, sender_id, call.now))
    return Answer(status=204)


def _change(asked: ChangedSender) -> SenderChange:
    return SenderChange(
        agent_id=asked.agent,
        messaging_service_sid=asked.messaging_service_sid,
        keyword_handling=asked.keyword_handling,
        inbound=asked.inbound,
        foreign_outbound=asked.foreign_outbound,
        pace_per_second=asked.pace_per_second,
    )


def _view(one: Sender) -> SenderView:
    return SenderView(
        id=one.id,
        origin=one.origin,
        account_sid=one.account_sid,
        channel=one.channel,
        address=one.address,
        kind=one.kind,
        agent=one.inbound_agent_id,
        messaging_service_sid=one.messaging_service_sid,
        keyword_handling=one.keyword_handling,
        inbound=one.inbound,
        foreign_outbound=one.foreign_outbound,
        pace_per_second=one.pace_per_second,
        listens=one.listens,
        activated_at=one.activated_at,
        stopped_at=one.stopped_at,
        stopped_because=one.stopped_because,
    )
