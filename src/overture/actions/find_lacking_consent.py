"""Find which calls lack the consent that a rule asks for; where no rule asks, nothing is read."""

from collections.abc import Mapping, Sequence

from overture.domain import consent_rule
from overture.domain.agent import Agent
from overture.domain.agent import applying as rules_of
from overture.domain.channel import Channel
from overture.domain.consent_rule import Known
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
    rulings: Sequence[Applying],
    pairs: Sequence[PairFacts],
) -> list[RequireConsent]:
    """For each call what the rules that apply to it (`rulings`) say to that nobody is known to have agreed.

    OFF where somebody did, or no rule asks.
    """
    strictness = {id(one): consent_rule.required(one) for one in {id(one): one for one in rulings}.values()}
    required = [strictness[id(one)] for one in rulings]
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
        found = known.get((start.workspace_id, who), consent_rule.NOTHING)
        lacking.append(lack(found, one, agent, start.channel, start.consent))
    return lacking


def lack(
    found: Known, required: RequireConsent, agent: Agent | None, channel: Channel, evidence: Mapping[str, object] | None
) -> RequireConsent:
    """What the rules say to a consent that nobody knows of; OFF where it is known, or none asks."""
    if evidence is None and found is consent_rule.NOTHING:
        return required
    purpose = None if agent is None else consent_rule.purpose_of(agent.spec.purpose)
    is_given = required is RequireConsent.OFF or consent_rule.is_given(found, channel, purpose, evidence)
    return RequireConsent.OFF if is_given else required


def applying(agent: Agent | None, sender: Sender | None) -> Applying:
    """The rules that apply to what an agent opens from a sender."""
    if sender is None:
        return rules_of(agent, workspace=NONE, sender=NONE)
    return rules_of(agent, workspace=sender.workspace_rules, sender=sender.rules)


def seen_from(contact: KnownContact | None, sender: Sender | None) -> KnownContact | None:
    """A contact as it stands to a sender."""
    if contact is None or sender is None:
        return contact
    return contact.seen_from(sender.id, sender.messaging_service_sid)
