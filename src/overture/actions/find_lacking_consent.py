"""Find which calls lack the consent that a rule asks for; where no rule asks, nothing is read."""

from collections.abc import Sequence

from overture.domain import consent_rule
from overture.domain.agent import Agent
from overture.domain.rules import NONE, Applying, RequireConsent
from overture.domain.sending import KnownContact, Start
from overture.store import consents
from overture.store.engine import Reading
from overture.store.senders import Sender
from overture.store.threads import PairFacts


async def find_lacking(
    tx: Reading,
    asked: Sequence[Start],
    agents: Sequence[Agent | None],
    senders: Sequence[Sender | None],
    pairs: Sequence[PairFacts],
) -> list[RequireConsent]:
    """For each call what the rules say to that nobody is known to have agreed; OFF where somebody did, or none asks."""
    required = [consent_rule.required(applying(agent, sender)) for agent, sender in zip(agents, senders, strict=True)]
    if all(one is RequireConsent.OFF for one in required):
        return required
    looked_up = [
        (start.workspace_id, pair.contact.id)
        for start, pair, one in zip(asked, pairs, required, strict=True)
        if pair.contact is not None and one is not RequireConsent.OFF
    ]
    known = await consents.find_known(tx, looked_up) if looked_up else {}
    lacking = []
    for start, agent, pair, one in zip(asked, agents, pairs, required, strict=True):
        who = "" if pair.contact is None else pair.contact.id
        purpose = None if agent is None else consent_rule.purpose_of(agent.spec.purpose)
        found = known.get((start.workspace_id, who), consent_rule.NOTHING)
        is_given = one is RequireConsent.OFF or consent_rule.is_given(found, start.channel, purpose, start.consent)
        lacking.append(RequireConsent.OFF if is_given else one)
    return lacking


def applying(agent: Agent | None, sender: Sender | None) -> Applying:
    """The rules that apply to what an agent opens from a sender."""
    return Applying(
        workspace=NONE if sender is None else sender.workspace_rules,
        agent=NONE if agent is None else agent.spec.ruling,
        sender=NONE if sender is None else sender.rules,
        time_zone="UTC" if agent is None else agent.spec.timezone,
    )


def seen_from(contact: KnownContact | None, sender: Sender | None) -> KnownContact | None:
    """A contact as it stands to a sender."""
    if contact is None or sender is None:
        return contact
    return contact.seen_from(sender.id, sender.messaging_service_sid)
