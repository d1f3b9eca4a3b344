"""Explain what every rule says of an opening to somebody, now. Nothing is written."""

from datetime import datetime

import msgspec
from msgspec import Struct

from overture.actions.find_lacking_consent import applying, lack, seen_from
from overture.domain import caps, consent_rule, explaining, numbers, variants
from overture.domain.agent import Agent
from overture.domain.channel import Channel
from overture.domain.errors import Invalid, Unknown
from overture.domain.explaining import Asking, Said
from overture.domain.rules import RequireConsent
from overture.domain.sending import KnownContact
from overture.store import agents, consents, rules, senders, threads
from overture.store import caps as counted
from overture.store.caps import Asked
from overture.store.engine import Reading
from overture.store.senders import Sender


class Explained(Struct, frozen=True, kw_only=True):
    """Who was asked about, from which sender if one was found, and what each rule says."""

    to_number: str
    channel: Channel
    from_number: str | None
    agent_id: str | None
    said: list[Said]


async def explain_rules(
    tx: Reading,
    workspace_id: str,
    *,
    to_number: str,
    channel: Channel,
    agent_id: str | None,
    from_number: str | None,
    now: datetime,
) -> Explained:
    """What every rule says. Raises Invalid for a number that is none, Unknown for an agent or a sender.

    Where no sender is named, the only one of the channel is meant; of several, none.
    """
    address = numbers.read_address(channel, to_number)
    if address is None:
        raise Invalid(
            "to_number_invalid",
            "The recipient is no number that can be: it starts with + and the country code.",
            field="to_number",
            hint="In a URL write the + as %2B.",
        )
    sender = await _sender(tx, workspace_id, channel, from_number)
    agent = await _agent(tx, workspace_id, agent_id)
    asking = await _ask(tx, workspace_id, address, channel, agent, sender, now)
    return Explained(
        to_number=address,
        channel=channel,
        from_number=None if sender is None else sender.address,
        agent_id=agent_id,
        said=explaining.say_all(asking, now),
    )


async def _ask(
    tx: Reading,
    workspace_id: str,
    address: str,
    channel: Channel,
    agent: Agent | None,
    sender: Sender | None,
    now: datetime,
) -> Asking:
    sender_id = None if sender is None else sender.id
    [pair] = await threads.read_pairs(tx, [(workspace_id, address, sender_id or "")])
    contact = seen_from(pair.contact, sender)
    key = variants.canonical(address) if contact is None else contact.address
    ruling = msgspec.structs.replace(applying(agent, sender), workspace=await rules.get_of_workspace(tx, workspace_id))
    lines = caps.lines(ruling, agent_id=None if agent is None else agent.id, sender_id=sender_id)
    asked = [Asked(workspace_id=workspace_id, line=line, contact=key) for line in lines]
    held = await counted.look(tx, asked, now) if asked else counted.Held(now=now)
    return Asking(
        to_number=address,
        channel=channel,
        contact=key,
        opted_out_at=None if contact is None else contact.opted_out_at,
        last_inbound_at=None if pair.thread is None else pair.thread.last_inbound_at,
        applying=ruling,
        tallies=tuple((one.line, held.tally(one.key, one.line.cap)) for one in asked),
        waiting=None if sender_id is None else await counted.count_waiting(tx, workspace_id, sender_id),
        stopped_because=None if sender is None else sender.stopped_because,
        is_priced=sender is not None and sender.prices_revision is not None,
        lacks=await _lacks(tx, workspace_id, channel, agent, contact, consent_rule.required(ruling)),
        tails=() if sender is None else sender.tails,
    )


async def _lacks(
    tx: Reading,
    workspace_id: str,
    channel: Channel,
    agent: Agent | None,
    contact: KnownContact | None,
    required: RequireConsent,
) -> RequireConsent | None:
    """What the rules say to a consent that nobody knows of; OFF where it is known, None where no rule asks."""
    if required is RequireConsent.OFF:
        return None
    who = [] if contact is None else [(workspace_id, contact.id)]
    known = await consents.find_known(tx, who) if who else {}
    found = next(iter(known.values()), consent_rule.NOTHING)
    return lack(found, required, agent, channel, None)


async def _agent(tx: Reading, workspace_id: str, agent_id: str | None) -> Agent | None:
    if agent_id is None:
        return None
    name = (workspace_id, agent_id)
    found = (await agents.find_current(tx, [name])).get(name)
    if found is None:
        raise Unknown(
            "agent_unknown",
            f"There is no agent {agent_id!r} in this workspace.",
            field="agent_id",
            hint="`overture agents list` shows the agents there are.",
        )
    return found


async def _sender(tx: Reading, workspace_id: str, channel: Channel, from_number: str | None) -> Sender | None:
    able = [one for one in await senders.list_active(tx, workspace_id) if one.channel is channel]
    if from_number is None:
        return able[0] if len(able) == 1 else None
    address = numbers.read_number(from_number) or from_number
    found = next((one for one in able if one.address == address), None)
    if found is None:
        raise Unknown(
            "sender_unknown",
            f"There is no sender of that number for {channel.value} in this workspace.",
            field="from_number",
            hint="`overture senders list` shows the senders there are.",
        )
    return found
