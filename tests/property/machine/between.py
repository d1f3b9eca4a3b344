"""What holds from one moment to the next."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from overture.actions.claim_turns import HISTORY
from overture.actions.commit_turn import REDRAFTS
from overture.store.engine import instant
from tests.property.machine.breach import require
from tests.property.machine.picture import Held, Picture, Turned

INACTIVITY: Final = timedelta(hours=1)
HAND_BACK: Final = timedelta(minutes=30)


def check(before: Picture, now: Picture, *, now_is: datetime, may_speak: bool) -> None:
    """Compare two pictures of one history; `may_speak` where something else than a turn may say a word. Raises
    BreachError.
    """
    for an_id, was in before.conversations.items():
        held = now.conversations[an_id]
        _ended_stays_ended(was, held)
        _handled_only_grows(was, held)
        turns = now.turns_of(an_id)[was.turns :]
        for turn in turns:
            _is_fresh(turn, held, now)
        if not may_speak:
            _a_silent_agent_says_nothing(was, held, now)
    told = {event.id for event in before.events}
    modes = {an_id: held.mode for an_id, held in before.conversations.items()}
    for event in now.events:
        if event.id not in told and event.conversation_id in before.conversations:
            was = msgspec.structs.replace(
                before.conversations[event.conversation_id], mode=modes[event.conversation_id]
            )
            _fired_in_time(event.kind, msgspec.json.decode(event.data), was, now_is)
            if event.kind == "conversation.handed_back":  # timers that are due together fire in one moment
                modes[event.conversation_id] = "bot"


def _ended_stays_ended(was: Held, held: Held) -> None:
    if was.mode == "ended":
        require(held.mode == "ended", "I11", f"what had ended is in mode {held.mode}")
        require(held.end_reason == was.end_reason, "I11", f"it ended as {was.end_reason}, then as {held.end_reason}")
        require(held.turns == was.turns, "I11", "a turn was committed after the end")


def _handled_only_grows(was: Held, held: Held) -> None:
    if held.epoch == was.epoch:
        require(
            held.handled_seq >= was.handled_seq, "I1", f"{was.handled_seq} was handled, and then {held.handled_seq}"
        )
    require(held.epoch >= was.epoch, "I11", f"epoch {held.epoch} came after {was.epoch}")
    require(held.fence >= was.fence, "I4", f"fence {held.fence} came after {was.fence}")


def _is_fresh(turn: Turned, held: Held, now: Picture) -> None:
    """Nothing newer had come when a turn was committed: nobody writes in the same moment in which a worker commits."""
    changed = any(
        step.kind == "tool" and step.after_turns == held.turns - 1 and step.conversation_id == held.id
        for step in now.steps
    )
    heard = [line.seq for line in now.lines_of(held.id) if line.direction == "in" and line.seq >= turn.from_seq]
    newer = [seq for seq in heard if seq > turn.to_seq]
    stale = bool(newer) and held.turns == now.turns_of(held.id).index(turn) + 1
    require(
        not stale or turn.redrafts == REDRAFTS or changed or len(heard) > HISTORY,
        "I9",
        f"the answer to {turn.to_seq} was given though {newer} had come, after {turn.redrafts} redrafts",
    )


def _a_silent_agent_says_nothing(was: Held, held: Held, now: Picture) -> None:
    if was.mode == "bot":
        return
    born = [line for line in now.lines_of(held.id) if line.seq > was.last_seq and line.author == "agent"]
    require(not born, "I5", f"{born[0].text if born else ''!r} was said in mode {was.mode}")


def _fired_in_time(kind: str, data: dict[str, object], was: Held, now: datetime) -> None:
    rested = now - instant(was.last_activity_at)
    match kind, data:
        case "conversation.ended", {"reason": "inactivity_timeout"}:
            require(was.mode == "bot", "I10", f"inactivity ended a conversation in mode {was.mode}")
            require(rested >= INACTIVITY, "I10", f"inactivity ended it after {rested}")
            require(was.handled_seq == was.in_seq, "I10", "inactivity ended it while a line waited for its answer")
        case "conversation.unattended", _:
            require(was.mode in ("human", "paused"), "I10", f"people were reminded of one in mode {was.mode}")
            require(was.taken_at is None, "I10", "people were reminded of what one of them had taken")
        case "conversation.handed_back", {"by": "the time set"}:
            require(was.mode == "human" and rested >= HAND_BACK, "I10", f"it was handed back after {rested}")
