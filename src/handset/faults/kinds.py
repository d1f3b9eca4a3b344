"""The kinds of faults, as a table: where each can happen, what it means, and how long it takes if nobody says.

A request to the REST API is a `send`, a `list`, a `fetch` or an `other`; a message comes into being by a `send` or by
being `typed` on a phone; a webhook tells of an `inbound` message or of a `status`.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Traffic = Literal["send", "list", "fetch", "other", "typed", "inbound", "status"]
"""What a fault can happen to."""

Place = Literal["answer", "fate", "listing", "delivery", "moment", "forgery", "signature", "copies", "parameters"]
"""What of it is changed; two faults can meet in different places of one thing, never in the same."""

Kind = Literal[
    "cut",
    "429",
    "500",
    "500_landed",
    "timeout",
    "timeout_landed",
    "reset",
    "reset_landed",
    "truncated",
    "html",
    "slow",
    "refused",
    "late_acceptance",
    "before_201",
    "failed",
    "list_lag",
    "lost",
    "duplicated",
    "shuffled",
    "late",
    "forged",
    "wrong_token",
    "unknown_parameters",
]

API: Final[tuple[Traffic, ...]] = ("send", "list", "fetch", "other")
HOOKS: Final[tuple[Traffic, ...]] = ("inbound", "status")


@dataclass(frozen=True, kw_only=True)
class Nature:
    """What a kind is. `usual`: what it happens to unless a rule says; `seconds`: how long unless a rule says."""

    place: Place
    may: tuple[Traffic, ...]
    usual: tuple[Traffic, ...]
    says: str
    seconds: float | None = None
    needs_code: bool = False

    @property
    def is_of_webhooks(self) -> bool:
        """Whether it happens to webhooks alone."""
        return self.may == HOOKS


def _api(says: str, *, may: tuple[Traffic, ...] = API, seconds: float | None = None, code: bool = False) -> Nature:
    return Nature(place="answer", may=may, usual=("send",), says=says, seconds=seconds, needs_code=code)


def _hook(place: Place, says: str, *, seconds: float | None = None) -> Nature:
    return Nature(place=place, may=HOOKS, usual=HOOKS, says=says, seconds=seconds)


NATURES: Final[dict[Kind, Nature]] = {
    "cut": Nature(
        place="answer", may=(*API, *HOOKS), usual=(*API, *HOOKS), says="every request is reset, every webhook is lost"
    ),
    "429": _api("too many requests (20429); nothing was done"),
    "500": _api("an internal error (20500); nothing was done"),
    "500_landed": _api("an internal error (20500), although it was done"),
    "timeout": _api("no answer; nothing was done", seconds=60.0),
    "timeout_landed": _api("no answer, although it was done", seconds=60.0),
    "reset": _api("the connection is reset; nothing was done"),
    "reset_landed": _api("the connection is reset after it was done"),
    "truncated": _api("it was done, and the answer breaks off in the middle"),
    "html": _api("a load balancer's 503 page in HTML; nothing was done"),
    "slow": _api("it was done, and the answer drips byte by byte", seconds=5.0),
    "refused": _api("refused with an error code of Twilio's", code=True),
    "late_acceptance": _api("the connection is reset, and it is done some seconds later", may=("send",), seconds=5.0),
    "before_201": _api("a status callback is answered before the request is", may=("send",), seconds=10.0),
    "failed": Nature(
        place="fate",
        may=("send",),
        usual=("send",),
        says="accepted, and fails later with an error code",
        needs_code=True,
    ),
    "list_lag": Nature(
        place="listing",
        may=("send", "typed"),
        usual=("send", "typed"),
        says="a new message is missing in lists for some seconds",
        seconds=30.0,
    ),
    "lost": _hook("delivery", "the webhook never comes"),
    "duplicated": _hook("copies", "the webhook comes again"),
    "shuffled": _hook("moment", "webhooks of one message (or one phone) come in another order", seconds=2.0),
    "late": _hook("moment", "the webhook comes late, and others overtake it", seconds=5.0),
    "forged": _hook("forgery", "somebody else's webhook with a made-up signature comes before the real one"),
    "wrong_token": _hook("signature", "the webhook is signed with another token"),
    "unknown_parameters": _hook("parameters", "the webhook carries parameters that nobody has heard of"),
}

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
TRAFFIC: Final[tuple[Traffic, ...]] = get_args(Traffic)
