"""Rules: what a workspace, an agent or a sender allows of messages that nobody is waiting for.

They hold for openings and follow-ups, never for replies. Where several apply to one message, each must allow it.
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from overture.domain.opt_out import OptOutScope

TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
CountryCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]


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


class QuietHours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When nobody is to be disturbed, in the recipient's own time: from `start` to `end`, across midnight or not."""

    start: TimeOfDay = "20:00"
    end: TimeOfDay = "09:00"


class Cap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """At most so much in any stretch of time."""

    at_most: Annotated[int, Meta(ge=0)]
    within_seconds: Annotated[int, Meta(ge=60)]


class Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one of them allows. Whatever is not set is allowed.

    `countries` are those that may be written to, by ISO 3166. `opt_out_scope` counts of the workspace alone.
    """

    quiet_hours: QuietHours | None = None
    countries: list[CountryCode] | None = None
    caps: list[Cap] = []
    require_consent: RequireConsent | None = None
    opt_out_scope: OptOutScope | None = None


NONE: Final = Rules()


class Applying(Struct, frozen=True, kw_only=True):
    """The rules that apply to one message, by whose they are."""

    workspace: Rules = NONE
    agent: Rules = NONE
    sender: Rules = NONE

    def each(self) -> tuple[tuple[Scope, Rules], ...]:
        """Those that say anything, the widest first."""
        all_of = ((Scope.WORKSPACE, self.workspace), (Scope.AGENT, self.agent), (Scope.SENDER, self.sender))
        return tuple((scope, rules) for scope, rules in all_of if rules != NONE)
