"""The panel of faults as it is shown: buttons for the usual ones, a choice of all, what stands, what acted. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from handset.asking import RequestError
from handset.clock import Line
from handset.faults.kinds import NATURES, Kind, Nature
from handset.faults.plan import Standing
from handset.faults.rules import Rule
from handset.state.nouns import Act
from handset.state.tally import Tally

ACTS_SHOWN: Final = 8

QUICK: Final[dict[str, tuple[str, str, Rule]]] = {
    # name: label, what it does, the rule
    "cut": ("Cut the network", "Every request is reset and every webhook lost, until lifted", Rule(kind="cut")),
    "answer": (
        "Lose the next answer",
        "The next message is sent, and whoever asked for it never hears so",
        Rule(kind="reset_landed", next=1),
    ),
    "webhook": ("Lose the next webhook", "It never comes", Rule(kind="lost", next=1)),
    "double": ("Double the next webhook", "It comes twice", Rule(kind="duplicated", next=1)),
    "delay": ("Delay the next webhook", "It comes 10 seconds late", Rule(kind="late", seconds=10.0, next=1)),
    "busy": ("Refuse the next message", "429, too many requests: nothing is sent", Rule(kind="429", next=1)),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A rule that stands, in words."""

    id: str
    name: str
    says: str
    about: str
    count: str


@dataclass(frozen=True, kw_only=True)
class Happened:
    """A fault that acted, in words."""

    name: str
    on: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Panel:
    """All that the panel shows. `totals`: how often each kind acted."""

    rows: tuple[Row, ...]
    happened: tuple[Happened, ...]
    totals: tuple[tuple[str, int], ...]
    acted: int
    tally: Tally
    line: Line | None


def of(standing: Sequence[Standing], acts: Sequence[Act], tally: Tally, line: Line) -> Panel:
    """The panel, from what stands and what acted, newest first."""
    totals = Counter(name(act.kind) for act in acts)
    plain = line.rate == 1 and line.at == line.real_at
    return Panel(
        rows=tuple(_row(one) for one in standing if not one.is_used_up),
        happened=tuple(_happened(act) for act in reversed(acts[-ACTS_SHOWN:])),
        totals=tuple(totals.most_common()),
        acted=len(acts),
        tally=tally,
        line=None if plain else line,
    )


def name(kind: str) -> str:
    """A kind as it is written for people."""
    return kind.replace("_", " ")


def choices() -> list[tuple[str, list[tuple[Kind, str, str]]]]:
    """All kinds in groups: the value, its name, what it means."""
    groups: dict[str, list[tuple[Kind, str, str]]] = {"Everything": [], "Requests": [], "Messages": [], "Webhooks": []}
    for kind, nature in NATURES.items():
        groups[_group(kind, nature)].append((kind, name(kind), nature.says))
    return list(groups.items())


def read(form: Mapping[str, str]) -> Rule:
    """The rule that a form of the panel asks for; raises RequestError."""
    if (quick := form.get("quick")) is not None:
        if quick not in QUICK:
            raise RequestError(400, f"{quick!r} is none of the buttons", "press one of those that are there")
        return QUICK[quick][2]
    given = {
        field: form[field].strip() for field in ("kind", "next", "seconds", "code", "to") if form.get(field, "").strip()
    }
    try:
        return msgspec.convert(given, Rule, strict=False)
    except msgspec.ValidationError as error:
        raise RequestError(400, str(error), "choose a kind; the numbers may stay empty, but for the code") from None


def _group(kind: Kind, nature: Nature) -> str:
    if kind == "cut":
        return "Everything"
    return "Webhooks" if nature.is_of_webhooks else "Requests" if nature.place == "answer" else "Messages"


def _row(standing: Standing) -> Row:
    rule = standing.rule
    parts = [
        ", ".join(rule.traffic) if rule.kind != "cut" else "",
        f"to {rule.to}" if rule.to else "",
        f"from {rule.from_}" if rule.from_ else "",
        f"“{rule.body}”" if rule.body else "",
        f"{rule.length:g} s" if rule.length else "",
        str(rule.code) if rule.code else "",
        f"1 in {rule.every}" if rule.every > 1 else "",
        f"{rule.probability:.0%}" if rule.probability < 1 else "",
    ]
    left = f"{standing.acted} of {rule.next}" if rule.next is not None else f"{standing.acted}, until lifted"
    return Row(
        id=standing.id,
        name=name(rule.kind),
        says=NATURES[rule.kind].says,
        about=" · ".join(part for part in parts if part),
        count=left,
    )


def _happened(act: Act) -> Happened:
    return Happened(name=name(act.kind), on=f"{act.traffic} {act.to_address or ''}".strip(), at=act.at)
