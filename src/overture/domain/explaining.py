"""What every rule says of an opening to somebody, now: for the operator who wonders why one goes or does not.

A rule is one function in `RULES`, from what is known to what it says. A new rule is a line there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.domain import caps, consent_rule, countries, pace, quiet_hours, window
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
    apply with what they have counted; `is_priced` whether the workspace has a price table; `lacks_consent` what the
    rules say to that nobody is known to have agreed; `tails` the ends of the queues that the sender's pace makes.
    """

    to_number: str
    channel: Channel
    contact: str
    opted_out_at: datetime | None = None
    last_inbound_at: datetime | None = None
    applying: Applying = Applying()
    tallies: tuple[tuple[Line, Tally], ...] = ()
    waiting: int | None = None
    stopped_because: str | None = None
    is_priced: bool = False
    lacks_consent: RequireConsent = RequireConsent.OFF
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
    required = consent_rule.required(asking.applying)
    if required is RequireConsent.OFF:
        return []
    match asking.lacks_consent:
        case RequireConsent.OFF:
            sentence = "The recipient agreed to be written to: the ledger says when."
            return [Said(rule="consent", ruling=Ruling.ALLOWED, sentence=sentence)]
        case RequireConsent.WARN:
            sentence = "Nobody knows that the recipient agreed; the opening goes, with a warning."
            return [Said(rule="consent", ruling=Ruling.NOTED, sentence=sentence, code="consent_missing")]
        case RequireConsent.ENFORCE:
            sentence = "Nobody knows that the recipient agreed to be written to. A call may bring the consent itself."
            return [Said(rule="consent", ruling=Ruling.REFUSED, sentence=sentence, code="consent_missing")]


def _quiet_hours(asking: Asking, now: datetime) -> list[Said]:
    """One line for each demand, of its strictest zone: the one in which the recipient is left alone longest."""
    told: dict[tuple[Scope, str], quiet_hours.Explained] = {}
    for one in quiet_hours.explain(asking.applying, asking.to_number, now):
        key = (one.scope, one.because)
        known = told.get(key)
        if known is None or (known.next_allowed is not None and _later(one.next_allowed, known.next_allowed)):
            told[key] = one
    found = [_in_quiet(one) for one in told.values()]
    if found:
        first = quiet_hours.next_allowed(asking.applying, asking.to_number, now)
        if first is None:
            sentence = "There is no instant in the next days at which every zone and rule allows an opening."
            found.append(Said(rule="quiet_hours", ruling=Ruling.REFUSED, sentence=sentence, code="quiet_hours"))
        elif first != now:
            sentence = f"All of them together: an opening waits until {first:%Y-%m-%d %H:%M} UTC, if it lives so long."
            found.append(Said(rule="quiet_hours", ruling=Ruling.DEFERRED, sentence=sentence, until=first))
    return found


def _in_quiet(one: quiet_hours.Explained) -> Said:
    law = "" if one.because == quiet_hours.BECAUSE_OF_RULE else f" by the law of {one.because}"
    clock = "Nobody knows the time" if one.local_time is None else f"It is {one.local_time:%a %H:%M}"
    state = "quiet" if one.is_quiet else "no quiet time"
    return Said(
        rule="quiet_hours",
        scope=one.scope,
        ruling=Ruling.DEFERRED if one.is_quiet else Ruling.ALLOWED,
        sentence=f"{clock} in {one.time_zone}: {state}{law}.",
        until=one.next_allowed if one.is_quiet else None,
    )


def _later(one: datetime | None, other: datetime) -> bool:
    return one is None or one > other


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
    for scope, rules in asking.applying.each():
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


def _caps(asking: Asking, now: datetime) -> list[Said]:
    wanted = (Wanted(),)
    found = []
    for line, tally in asking.tallies:
        refused = caps.refuse(line, tally, wanted, asking.contact)
        left = max(0, line.cap.at_most - tally.used)
        until = None
        if refused is not None:
            until = now + timedelta(seconds=refused.retry_after_seconds)
            ending = "An opening is refused until enough of it is over."
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
