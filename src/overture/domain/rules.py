"""Rules: what a workspace, an agent or a sender allows of messages that nobody is waiting for.

They hold for openings and follow-ups, never for replies. Where several apply to one message, each must allow it.
"""

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from overture.domain.country_codes import COUNTRIES
from overture.domain.model_budget import ModelBudget
from overture.domain.opt_out import OptOutScope

MOST_CAPS: Final = 32  # of one workspace, agent or sender; each is one more row to hold for every opening
LONGEST_WINDOW: Final = 366 * 86400
MOST: Final = 10**15  # a thousand million, in millionths: room for any budget, and for sums of it in 64 bits

TimeOfDay = Annotated[
    str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Hours and minutes, from 00:00 to 23:59.")
]
CountryCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}$", description="Two capital letters by ISO 3166, such as US.")]


class Scope(StrEnum):
    """Whose rules they are."""

    WORKSPACE = "workspace"
    AGENT = "agent"
    SENDER = "sender"


class RequireConsent(StrEnum):
    """What becomes of an opening to somebody who is not known to have agreed to it."""

    OFF = "off"
    WARN = "warn"
    ENFORCE = "enforce"


class Span(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, cache_hash=True):
    """A part of a day that is quiet: from `start` to `end`, or before `end` and from `start` where that is later.

    The same time twice leaves the day free.
    """

    start: TimeOfDay
    end: TimeOfDay


DayHours: TypeAlias = Span | Literal["all_day"] | None


class Days(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, cache_hash=True):
    """Days that have other quiet hours: a part of the day, or all of it."""

    mon: DayHours = None
    tue: DayHours = None
    wed: DayHours = None
    thu: DayHours = None
    fri: DayHours = None
    sat: DayHours = None
    sun: DayHours = None


class QuietHours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, cache_hash=True):
    """When nobody is to be disturbed, in the recipient's own time: from `start` to `end`, across midnight or not.

    Each day is looked at by itself: `sun: {start: "21:00", end: "12:00"}` makes Sunday quiet before noon and from nine
    in the evening. `time_zone` counts for numbers that do not tell theirs. With `stricter_states` numbers of the United
    States are also quiet when federal law or their state asks for it (`domain/us_hours.py`).
    """

    start: TimeOfDay = "20:00"
    end: TimeOfDay = "09:00"
    days: Days = Days()
    time_zone: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$")] | None = None
    stricter_states: bool = True


class Measure(StrEnum):
    """What a cap counts: messages, their SMS segments, their price in millionths, or different people."""

    MESSAGES = "messages"
    SEGMENTS = "segments"
    MONEY = "money"
    RECIPIENTS = "recipients"


class Per(StrEnum):
    """What a cap counts apart."""

    CONTACT = "contact"


class Cap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """At most so much in any stretch of so many seconds, all together or `per` contact; zero allows nothing.

    Money is counted in millionths of the price table's currency.
    """

    at_most: Annotated[int, Meta(ge=0, le=MOST)]
    within_seconds: Annotated[int, Meta(ge=60, le=LONGEST_WINDOW)]
    count: Measure = Measure.MESSAGES
    per: Per | None = None

    def __post_init__(self) -> None:
        if self.count is Measure.RECIPIENTS and self.per is not None:
            raise ValueError("a contact is one recipient: count recipients of all together, or messages per contact")


class Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one of them allows. Whatever is not set is allowed.

    `countries` are those that may be written to, by ISO 3166; where the list is empty, none. `opt_out_scope` counts of
    the workspace alone, `model_budget` of the workspace and of agents; it holds for replies too.
    """

    quiet_hours: QuietHours | None = None
    countries: list[CountryCode] | None = None
    caps: Annotated[list[Cap], Meta(max_length=MOST_CAPS)] = []
    require_consent: RequireConsent | None = None
    opt_out_scope: OptOutScope | None = None
    model_budget: ModelBudget = ModelBudget()

    def __post_init__(self) -> None:
        if unknown := next((code for code in self.countries or () if code not in COUNTRIES), None):
            raise ValueError(f"no country with numbers of its own has the code {unknown!r}")


NONE: Final = Rules()
FOR_MARKETING: Final = QuietHours()
"""What an agent whose purpose is marketing keeps unless it says otherwise: stricter than any law we know."""


class Applying(Struct, frozen=True, kw_only=True, dict=True):
    """The rules that apply to one message, by whose they are; `time_zone` is the agent's.

    What follows from them is worked out once: many calls share them.
    """

    workspace: Rules = NONE
    agent: Rules = NONE
    sender: Rules = NONE
    time_zone: str = "UTC"

    @cached_property
    def quiet_hours(self) -> tuple[QuietHours | None, QuietHours | None, QuietHours | None]:
        """The quiet hours of each, the widest first."""
        return self.workspace.quiet_hours, self.agent.quiet_hours, self.sender.quiet_hours

    @cached_property
    def asks_for_quiet(self) -> bool:
        """Whether any of them sets quiet hours."""
        return any(one is not None for one in self.quiet_hours)

    @cached_property
    def each(self) -> tuple[tuple[Scope, Rules], ...]:
        """Those that say anything, the widest first."""
        all_of = ((Scope.WORKSPACE, self.workspace), (Scope.AGENT, self.agent), (Scope.SENDER, self.sender))
        return tuple((scope, rules) for scope, rules in all_of if rules != NONE)
