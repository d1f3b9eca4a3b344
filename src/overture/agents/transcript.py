"""A conversation as the chat API tells it: the transcript in one string, and the log of states.

The shapes are the hosted platform's: `FSMAgentLog` has seven required members, its events count milliseconds since
1970, and whatever was collected stands under `variables`. What happened comes from the journal; nothing is kept here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.agents.deeds import Deed
from overture.domain.agent import Json
from overture.domain.turn import Author, Line

_WHO: Final = {Author.AGENT: "Agent", Author.OPERATOR: "Agent", Author.CONTACT: "User"}


class Turned(Struct, frozen=True, kw_only=True):
    """One finished turn: when, and the places that it passed in order."""

    at: datetime
    path: tuple[str, ...]


def transcript(lines: Iterable[Line]) -> str:
    """The conversation in one string, a message a line: "Agent: …" for our side, "User: …" for the contact's."""
    return "\n".join(f"{_WHO[line.author]}: {line.text}" for line in lines)


def fsm_log(
    *,
    agent_id: str,
    agent_name: str,
    place: str,
    lines: Sequence[Line],
    turns: Sequence[Turned],
    slots: Mapping[str, Json],
    deeds: Sequence[Deed] = (),
) -> dict[str, Json]:
    """The log of states, by agent id. `current_turn` says whose turn it is: "user" or "agent"."""
    events = _events(lines, turns, deeds)
    counted = Counter(str(event["event_type"]) for event in events)
    log: dict[str, Json] = {
        "current_state": place,
        "current_turn": "agent" if lines and lines[-1].author is Author.CONTACT else "user",
        "event_summary": dict(counted),
        "events": list(events),
        "execution_stats": {
            "commands_executed": counted["command_executed"],
            "state_transitions": counted["state_transition"],
            "total_events": len(events),
        },
        "fsm_metadata": {"name": agent_name},
        "state_path": list(_path(turns)),
        "variables": {name: {"value": _value(value), "collected": True} for name, value in slots.items()},
    }
    return {agent_id: log}


def _path(turns: Iterable[Turned]) -> list[str]:
    """Every place in order, without standing still."""
    path: list[str] = []
    for turn in turns:
        for place in turn.path:
            if not path or path[-1] != place:
                path.append(place)
    return path


def _events(lines: Sequence[Line], turns: Sequence[Turned], deeds: Sequence[Deed]) -> list[dict[str, Json]]:
    """Everything that happened in order of time; at one instant: what was heard, done, passed, and said."""
    told: list[tuple[datetime, int, dict[str, Json]]] = []
    standing = ""
    for turn in turns:
        if not standing and turn.path:
            told.append((turn.at, 2, _event("fsm_started", turn.path[0], turn.at)))
        for place in turn.path:
            if standing and place != standing:
                told.append((turn.at, 2, _event("state_transition", place, turn.at, {"from": standing})))
            told.append((turn.at, 2, _event("state_executed", place, turn.at)))
            standing = place
    for line in lines:
        heard = line.author is Author.CONTACT
        kind = "user_input" if heard else "utterance_sent"
        told.append((line.at, 0 if heard else 3, _event(kind, _place_at(turns, line), line.at, {"text": line.text})))
    for deed in deeds:
        place = _place_before(turns, deed.at)
        told.append((deed.at, 1, _event(deed.event_type, place, deed.at, deed.details)))
    return [event for _, _, event in sorted(told, key=lambda entry: entry[:2])]


def _place_at(turns: Sequence[Turned], line: Line) -> str:
    """Where the agent stood when a line was written: what the contact writes falls into the place before its turn."""
    place = next((turn.path[0] for turn in turns if turn.path), "")
    for turn in turns:
        if turn.path and (turn.at < line.at or (turn.at == line.at and line.author is not Author.CONTACT)):
            place = turn.path[-1]
    return place


def _place_before(turns: Sequence[Turned], at: datetime) -> str:
    """Where the agent stood when its turn did something: where the turn before had left it."""
    place = next((turn.path[0] for turn in turns if turn.path), "")
    for turn in turns:
        if turn.path and turn.at < at:
            place = turn.path[-1]
    return place


def _event(kind: str, place: str, at: datetime, details: Mapping[str, Json] | None = None) -> dict[str, Json]:
    milliseconds = int(at.timestamp() * 1000)
    return {"event_type": kind, "state_id": place, "timestamp": milliseconds, "details": dict(details or {})}


def _value(value: Json) -> Json:
    """A slot's value in the types that the API names: string, number, boolean, object."""
    match value:
        case None:
            return ""
        case list():
            return ", ".join(map(str, value))
        case _:
            return value
