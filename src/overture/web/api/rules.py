"""Rules: what a workspace and its senders allow of messages that nobody waits for, and what that means for somebody."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from overture.actions.explain_rules import explain_rules
from overture.actions.retire_sender import unknown_sender
from overture.domain import explaining, rules
from overture.domain.access import Scope
from overture.domain.channel import Channel
from overture.domain.errors import Invalid
from overture.domain.explaining import Ruling
from overture.domain.rules import Rules
from overture.domain.time_zones import find_zone
from overture.store import instances, senders
from overture.store import rules as stored
from overture.store.engine import Writing
from overture.web.routes import Call, get, put

_EXAMPLE = {
    "countries": ["US", "DE"],
    "caps": [
        {"count": "messages", "at_most": 500, "within_seconds": 86400},
        {"at_most": 3, "within_seconds": 86400, "per": "contact"},
    ],
}


class ExplainFor(Struct, frozen=True, kw_only=True):
    """Whom an opening would be for, and by whom."""

    to_number: Annotated[
        str, Meta(min_length=1, max_length=200, description="The recipient: a number (+ as %2B), or a BSUID.")
    ]
    channel: Channel = Channel.SMS
    agent_id: Annotated[str, Meta(min_length=1, max_length=64, description="The agent, for its rules.")] | None = None
    from_number: (
        Annotated[str, Meta(min_length=1, max_length=64, description="The sender; else the channel's only one.")] | None
    ) = None


class SaidView(Struct, frozen=True, kw_only=True):
    """What one rule says. `scope` is whose rule it is, null where it is everybody's.

    `ruling` is allowed, refused, deferred or noted; `code` what an opening is refused with; `until` when that changes
    by itself.
    """

    rule: str
    ruling: Ruling
    sentence: str
    scope: rules.Scope | None
    code: str | None
    until: datetime | None


class ExplainedView(Struct, frozen=True, kw_only=True):
    """What becomes of an opening to somebody now, and what every rule says.

    `from_number` is null where none was meant.
    """

    to_number: str
    channel: Channel
    from_number: str | None
    agent_id: str | None
    ruling: Ruling
    said: list[SaidView]


@get("/overture/v1/rules", may=Scope.READ, gives=Rules, tag="Rules")
async def get_rules(call: Call[None, None]) -> Rules:
    """Get the workspace's rules.

    What is left out is allowed. An agent's rules stand in its specification.
    """
    return await call.parts.store.read(lambda tx: stored.get_of_workspace(tx, call.workspace_id))


@put(
    "/overture/v1/rules",
    may=Scope.ADMIN,
    takes=Rules,
    gives=Rules,
    tag="Rules",
    example=_EXAMPLE,
    refusals=(400,),
)
async def set_rules(call: Call[Rules, None]) -> Rules:
    """Set the workspace's rules.

    They take the place of those that were, and hold from the next opening on.
    """
    given = _given(call)

    async def save(tx: Writing) -> None:
        await instances.add_workspace(tx, call.workspace_id, call.workspace_id, call.now)
        await stored.set_of_workspace(tx, call.workspace_id, given)

    await call.parts.store.write(save)
    return given


@get("/overture/v1/senders/{sender_id}/rules", may=Scope.READ, gives=Rules, tag="Rules", refusals=(404,))
async def get_sender_rules(call: Call[None, None]) -> Rules:
    """Get a sender's rules.

    They hold beside the workspace's and the agent's: each must allow an opening.
    """
    sender_id = call.path["sender_id"]
    found = await call.parts.store.read(lambda tx: senders.find(tx, call.workspace_id, sender_id))
    if found is None:
        raise unknown_sender(sender_id)
    return found.rules


@put(
    "/overture/v1/senders/{sender_id}/rules",
    may=Scope.ADMIN,
    takes=Rules,
    gives=Rules,
    tag="Rules",
    example=_EXAMPLE,
    refusals=(400, 404),
)
async def set_sender_rules(call: Call[Rules, None]) -> Rules:
    """Set a sender's rules.

    They take the place of those that were, and hold from the next opening on.
    """
    sender_id, given = call.path["sender_id"], _given(call)

    async def save(tx: Writing) -> None:
        if await senders.lock(tx, call.workspace_id, sender_id) is None:
            raise unknown_sender(sender_id)
        await stored.set_of_sender(tx, call.workspace_id, sender_id, given)

    await call.parts.store.write(save)
    return given


@get(
    "/overture/v1/rules/explain",
    may=Scope.READ,
    asks=ExplainFor,
    gives=ExplainedView,
    tag="Rules",
    refusals=(400,),
)
async def explain(call: Call[None, ExplainFor]) -> ExplainedView:
    """Explain what every rule says of an opening to somebody.

    Nothing is counted or written. Give the agent for its rules, and the sender where several do the channel.
    """
    asked = call.query
    found = await call.parts.store.read(
        lambda tx: explain_rules(
            tx,
            call.workspace_id,
            to_number=asked.to_number,
            channel=asked.channel,
            agent_id=asked.agent_id,
            from_number=asked.from_number,
            now=call.now,
        )
    )
    return ExplainedView(
        to_number=found.to_number,
        channel=found.channel,
        from_number=found.from_number,
        agent_id=found.agent_id,
        ruling=explaining.overall(found.said),
        said=[
            SaidView(
                rule=one.rule,
                ruling=one.ruling,
                sentence=one.sentence,
                scope=one.scope,
                code=one.code,
                until=one.until,
            )
            for one in found.said
        ],
    )


def _given(call: Call[Rules, None]) -> Rules:
    """The rules that were sent. No body is no wish: it would lift every rule there is."""
    if not call.raw:
        raise Invalid("invalid_request", "There is no body.", hint="Send {} to take all rules away.")
    zone = None if call.body.quiet_hours is None else call.body.quiet_hours.time_zone
    if zone is not None and find_zone(zone) is None:
        raise Invalid(
            "invalid_request",
            f"There is no time zone {zone!r}.",
            field="quiet_hours.time_zone",
            hint="Use an IANA name such as Europe/Berlin.",
        )
    return call.body
