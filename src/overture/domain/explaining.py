"""What every rule says of an opening to somebody, now: for the operator who wonders why one goes or does not.

A rule is one function in `RULES`, from what is known to what it says. A new rule is a line there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.domain import caps, countries, pace, quiet_hours, window
from overture.domain.caps import Line, Tally, Wanted
from overture.domain.channel import Channel
from overture.domain.pace import Tail
from overture.domain.rules import Applying, Measure, RequireConsent, Scope


class Ruling(StrEnum):
    """What a rule says of an opening: it may go, it may not, or not yet; or only what is to be known of it."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    DEFERRED = "deferred"
    NOTED = "noted"


class Said(Struct, frozen=True, kw_only=True):
    """What one rule says: `scope` whose rule it is (None where it is everybody's), `until` when that changes by itself.

    `code` is what an opening would be refused with.
    """

    rule: str
    ruling: Ruling
    sentence: str
    scope: Scope | None = None
    code: str | None = None
    until: datetime | None = None


class Asking(Struct, frozen=True, kw_only=True):
    """Everything that rules ask of one recipient.

    `waiting` is how many messages the sender has queued, None where no sender is known; `tallies` are the caps that
    apply with what they have counted; `is_priced` whether the workspace has a price table; `lacks` what the rules say
    to a consent that nobody knows of, OFF where it is known and None where no rule asks; `tails` the ends of the queues
    that the sender's pace makes.
    """

    to_number: str
    channel: Channel
    contact: str
    opted_out_at: datetime | None = None
    lacks: RequireConsent | None = None
    last_inbound_at: datetime | None = None
    applying: Applying = Applying()
    tallies: tuple[tuple[Line, Tally], ...] = ()
    waiting: int | None = None
    stopped_because: str | None = None
    is_priced: bool = False
    tails: tuple[Tail, ...] = ()


Rule = Callable[[Asking, datetime], Sequence[Said]]


def say_all(asking: Asking, now: datetime) -> list[Said]:
    """What every rule that applies says."""
    return [said for rule in RULES for said in rule(asking, now)]


def overall(said: Sequence[Said]) -> Ruling:
    """What becomes of an opening, by everything that was said."""
    rulings = {one.ruling for one in said}
    return next((one for one in (Ruling.REFUSED, Ruling.DEFERRED) if one in rulings), Ruling.ALLOWED)


def _opt_out(asking: Asking, now: datetime) -> list[Said]:
    if asking.opted_out_at is None:
        return [Said(rule="opt_out", ruling=Ruling.ALLOWED, sentence="The recipient has not opted out.")]
    sentence = f"The recipient opted out at {asking.opted_out_at:%Y-%m-%d %H:%M} UTC; only START lifts that."
    return [Said(rule="opt_out", ruling=Ruling.REFUSED, sentence=sentence, code="recipient_opted_out")]


def _consent(asking: Asking, now: datetime) -> list[Said]:
    if asking.lacks is None:
        return []
    if asking.lacks is RequireConsent.OFF:
        return [Said(rule="consent", ruling=Ruling.ALLOWED, sentence="The recipient is known to have agreed.")]
    sentence = f"Nothing says that the recipient agreed to be written to on {asking.channel}."
    if asking.lacks is RequireConsent.WARN:
        return [Said(rule="consent", ruling=Ruling.NOTED, sentence=f"{sentence} An opening goes, with a warning.")]
    sentence = f"{sentence} An opening is refused, unless its call brings consent."
    return [Said(rule="consent", ruling=Ruling.REFUSED, sentence=sentence, code="consent_missing")]


def _window(asking: Asking, now: datetime) -> list[Said]:
    if asking.channel is not Channel.WHATSAPP:
        return []
    heard = asking.last_inbound_at
    if window.is_open(heard, now) and heard is not None:
        sentence = "The recipient wrote lately, so WhatsApp takes any text."
        return [Said(rule="window", ruling=Ruling.ALLOWED, sentence=sentence, until=window.closes_at(heard))]
    sentence = "The recipient has not written in the last 24 hours, so WhatsApp takes only an approved template."
    return [Said(rule="window", ruling=Ruling.NOTED, sentence=sentence, code="window_closed")]


def _country(asking: Asking, now: datetime) -> list[Said]:
    found = []
    for scope, rules in asking.applying.each:
        if rules.countries is not None:
            may = countries.allows(rules.countries, asking.to_number)
            told = Said(
                rule="country",
                scope=scope,
                ruling=Ruling.ALLOWED if may else Ruling.REFUSED,
                sentence=f"{countries.belongs(asking.to_number)} {countries.only(scope, rules.countries)}",
                code=None if may else "country_not_allowed",
            )
            found.append(told)
    return found


def _quiet_hours(asking: Asking, now: datetime) -> list[Said]:
    told = quiet_hours.explain(asking.applying, asking.to_number, now)
    opens = quiet_hours.next_allowed(asking.applying, asking.to_number, now)
    found = []
    for scope in dict.fromkeys(one.scope for one in told):
        own = [one for one in told if one.scope is scope]
        quiet = [one for one in own if one.is_quiet]
        where = quiet_hours.local_times(quiet or own)
        if not quiet:
            sentence = f"It is {where} for the recipient, and no quiet hours."
            found.append(Said(rule="quiet_hours", scope=scope, ruling=Ruling.ALLOWED, sentence=sentence))
        elif opens is None:
            sentence = f"It is {where} for the recipient, and quiet hours leave no time at which an opening may go."
            refused = Said(
                rule="quiet_hours", scope=scope, ruling=Ruling.REFUSED, sentence=sentence, code="quiet_hours"
            )
            found.append(refused)
        else:
            sentence = f"It is {where} for the recipient: quiet hours. An opening waits until they are over."
            found.append(Said(rule="quiet_hours", scope=scope, ruling=Ruling.DEFERRED, sentence=sentence, until=opens))
    return found


def _caps(asking: Asking, now: datetime) -> list[Said]:
    wanted = Wanted()
    found = []
    for line, tally in asking.tallies:
        refused = caps.refuse(line, tally, wanted, asking.contact)
        left = max(0, line.cap.at_most - tally.used)
        until = None
        if refused is not None:
            can_fit = tally.can_ever_fit(wanted)
            until = now + timedelta(seconds=refused.retry_after_seconds) if can_fit else None
            ending = "An opening is refused until enough of it is over." if can_fit else "It allows none."
        else:
            ending = f"{left:,} left."
        is_blind = line.cap.count is Measure.MONEY and not asking.is_priced
        unpriced = " There is no price table, so no money is counted." if is_blind else ""
        told = Said(
            rule="cap",
            scope=line.scope,
            ruling=Ruling.ALLOWED if refused is None else Ruling.REFUSED,
            sentence=f"{caps.name(line)}: {caps.taken(tally)} is used. {ending}{unpriced}",
            code=None if refused is None else refused.code,
            until=until,
        )
        found.append(told)
    return found


def _queue(asking: Asking, now: datetime) -> list[Said]:
    if asking.waiting is None:
        sentence = "No sender was named that does this channel, so no sender's rules were asked."
        return [Said(rule="sender", ruling=Ruling.NOTED, sentence=sentence)]
    if asking.stopped_because is not None:
        sentence = f"The sender rests: {asking.stopped_because} {_waiting(asking.waiting)}"
        return [Said(rule="sender", scope=Scope.SENDER, ruling=Ruling.DEFERRED, sentence=sentence)]
    at = pace.leaves_at(asking.tails, now)
    when = f" By its pace a new opening leaves about {at:%Y-%m-%d %H:%M:%S} UTC." if at > now else ""
    sentence = f"{_waiting(asking.waiting)}{when}"
    return [Said(rule="sender", scope=Scope.SENDER, ruling=Ruling.NOTED, sentence=sentence, until=at if when else None)]


def _waiting(count: int) -> str:
    if not count:
        return "Nothing waits to leave from the sender."
    return f"{count:,} {'message waits' if count == 1 else 'messages wait'} to leave from the sender."


RULES: Final[tuple[Rule, ...]] = (
    _opt_out,
    _consent,
    _window,
    _country,
    _caps,
    _quiet_hours,
    _queue,
)
"""Every rule, in the order in which an opening meets them."""
