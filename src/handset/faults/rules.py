"""A rule: which things a fault happens to, which of these it hits, and what exactly it does.

Which of them: the first `skip` pass, then each `every`-th is a candidate, each candidate is hit with `probability`
(drawn from the rule's own generator, so the same seed and the same traffic give the same faults), until `next` are.
"""

from typing import Annotated, Final, Literal

import msgspec

from handset.faults.kinds import NATURES, Kind, Traffic

LONGEST_SECONDS: Final = 86_400.0
MOST_COPIES: Final = 100

Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Seed = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # what JSON can write down again
Code = Annotated[int, msgspec.Meta(ge=10_000, le=99_999)]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When something goes wrong, and how.

    `to` and `from` are whole addresses, `body` a part of the text, `status` one a callback tells. `next` None: until
    it is lifted. `seconds` is a length (of Handset's clock, but on the wire of the machine's), `times` how many more
    copies come, `code` one of Twilio's, `ends` the state in which a failing message ends, `token` what signs.
    """

    kind: Kind
    on: tuple[Traffic, ...] | Traffic = ()
    to: str | None = None
    from_: str | None = msgspec.field(name="from", default=None)
    body: str | None = None
    status: str | None = None
    skip: Count = 0
    every: Positive = 1
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    next: Positive | None = None
    seed: Seed | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_SECONDS)] | None = None
    times: Annotated[int, msgspec.Meta(ge=1, le=MOST_COPIES)] = 1
    code: Code | None = None
    ends: Literal["failed", "undelivered"] = "failed"
    retry_after: Annotated[int, msgspec.Meta(ge=0, le=86_400)] | None = None
    token: str | None = None

    def __post_init__(self) -> None:
        nature = NATURES[self.kind]
        for traffic in self.traffic:
            if traffic not in nature.may:
                raise ValueError(f"{self.kind} cannot happen on {traffic!r}, only on {', '.join(nature.may)}")
        if nature.needs_code and self.code is None:
            raise ValueError(f"{self.kind} needs a `code`, one of Twilio's error codes such as 21610 or 30003")

    @property
    def traffic(self) -> tuple[Traffic, ...]:
        """What it can happen to."""
        named = (self.on,) if isinstance(self.on, str) else self.on
        return named or NATURES[self.kind].usual

    @property
    def length(self) -> float:
        """Its seconds: those given, else the kind's own."""
        return self.seconds if self.seconds is not None else NATURES[self.kind].seconds or 0.0


def named(text: str) -> Rule:
    """A rule by its short name: a kind, and after a colon its code or its seconds (`refused:21610`, `late:3`).

    Raises ValueError.
    """
    kind, _, number = text.strip().partition(":")
    if kind not in NATURES:
        raise ValueError(f"{kind!r} is no kind of fault; there are {', '.join(NATURES)}")
    given: dict[str, object] = {"kind": kind}
    if number:
        wants_code = NATURES[kind].needs_code
        try:
            given["code" if wants_code else "seconds"] = int(number) if wants_code else float(number)
        except ValueError:
            raise ValueError(f"{number!r} after the colon is no number") from None
    return msgspec.convert(given, Rule)
