"""Follow-ups: whether an agent may speak up now though nobody has written, later, or not at all.

A follow-up carries the epoch and the last message it was set after. Whatever has happened since (the contact wrote,
somebody took over, the conversation ended) makes it stale. It is nobody's reply, so the rules for openings hold.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from overture.domain import window
from overture.domain.channel import Channel
from overture.domain.conversation import Mode

MOST_IN_A_ROW: Final = 2  # unless the agent says otherwise: a third one to somebody silent is pestering
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=30)
_SOON: Final = timedelta(seconds=30)  # a turn is under way: its end decides whether anything is left to follow up


class FollowUp(Struct, frozen=True, kw_only=True):
    """What is pending: when to speak up, set in which epoch and after which message."""

    due_at: datetime
    epoch: int
    after_seq: int


class Standing(Struct, frozen=True, kw_only=True):
    """The conversation as it is when a follow-up is due.

    `in_a_row` counts follow-ups since the contact last wrote. `quiet_until` is when the rules for openings let a
    message go, where they do not now; `refused` is the code with which they refuse it altogether. `stands_in` says
    whether the agent has a template for WhatsApp's closed window.
    """

    mode: Mode
    epoch: int
    last_seq: int
    in_a_row: int
    channel: Channel
    in_turn: bool = False
    opted_out: bool = False
    last_inbound_at: datetime | None = None
    stands_in: bool = False
    quiet_until: datetime | None = None
    refused: str | None = None


class Why(StrEnum):
    """Why a follow-up is dropped or waits, where no rule for openings has a code of its own for it."""

    STALE = "stale"
    TOO_MANY = "too_many_follow_ups"
    OPTED_OUT = "recipient_opted_out"
    WINDOW_CLOSED = "window_closed"
    TOO_LATE = "expired"
    IN_TURN = "turn_under_way"
    QUIET_HOURS = "quiet_hours"
    NOT_YET_DUE = "not_yet_due"
    NOTHING_SAID = "nothing_said"
    NO_TIME_ALLOWED = "expires_in_quiet_hours"


class Speak(Struct, frozen=True, kw_only=True):
    """The agent has its turn now."""


class Later(Struct, frozen=True, kw_only=True):
    """Look again at `until`; until then it stays pending, and is shown with its reason."""

    until: datetime
    reason: str


class Drop(Struct, frozen=True, kw_only=True):
    """It never happens, for a reason that is told."""

    reason: str


Verdict: TypeAlias = Speak | Later | Drop


def judge(pending: FollowUp, standing: Standing, now: datetime, *, at_most: int = MOST_IN_A_ROW) -> Verdict:
    """What becomes of a follow-up now.

    What can never be undone is asked first: nothing stale or forbidden is put off, to be looked at again for nothing.
    """
    if forbidden := _forbids(pending, standing, at_most):
        return Drop(reason=forbidden)
    if pending.due_at > now:
        return Later(until=pending.due_at, reason=Why.NOT_YET_DUE.value)
    if standing.in_turn:
        return Later(until=now + _SOON, reason=Why.IN_TURN.value)
    quiet_until = standing.quiet_until
    if quiet_until is not None and quiet_until > now:
        if quiet_until - pending.due_at > LONGEST:
            return Drop(reason=Why.TOO_LATE.value)
        return Later(until=quiet_until, reason=Why.QUIET_HOURS.value)
    is_open = standing.channel is not Channel.WHATSAPP or window.is_open(standing.last_inbound_at, now)
    return Speak() if is_open or standing.stands_in else Drop(reason=Why.WINDOW_CLOSED.value)


def _forbids(pending: FollowUp, standing: Standing, at_most: int) -> str | None:
    if standing.mode is not Mode.BOT or (pending.epoch, pending.after_seq) != (standing.epoch, standing.last_seq):
        return Why.STALE.value
    if standing.opted_out:
        return Why.OPTED_OUT.value
    return Why.TOO_MANY.value if standing.in_a_row >= at_most else standing.refused
