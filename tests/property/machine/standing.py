"""What holds at every moment."""

from collections import Counter
from collections.abc import Set
from itertools import pairwise

import msgspec

from overture.actions.commit_turn import REDRAFTS
from tests.property.machine.breach import require
from tests.property.machine.peers import ANSWER, Books
from tests.property.machine.picture import Picture


def check(now: Picture, books: Books, reviewed: Set[str]) -> None:
    """Raise BreachError for the first invariant that does not hold. Raises BreachError."""
    _lines_are_kept_once(now)
    _turns_follow_each_other(now)
    _nothing_is_answered_twice(now)
    _the_provider_took_each_once(now, books)
    _the_provider_took_them_in_order(now, books, reviewed)
    _tools_changed_each_once(books)
    _turns_say_something(now)
    _ends_are_told_once(now)
    _the_journal_tells_what_was_said(now)


def _lines_are_kept_once(now: Picture) -> None:
    kept = Counter(line.provider_sid for line in now.lines if line.direction == "in")
    twice = [sid for sid, count in kept.items() if count > 1]
    require(not twice, "I1", f"a webhook that came twice is {kept[twice[0]] if twice else 0} lines")
    for held in now.conversations.values():
        require(held.handled_seq <= held.in_seq, "I1", f"{held.handled_seq} is handled, of {held.in_seq}")
        seqs = [line.seq for line in now.lines_of(held.id)]
        require(seqs == list(range(1, held.last_seq + 1)), "I12", f"its lines are {seqs}, of {held.last_seq}")
        last_in = max((line.seq for line in now.lines_of(held.id) if line.direction == "in"), default=0)
        require(held.in_seq <= last_in, "I12", f"its last line is {last_in}, not {held.in_seq}")


def _turns_follow_each_other(now: Picture) -> None:
    for held in now.conversations.values():
        turns = now.turns_of(held.id)
        require(len(turns) == held.turns, "I12", f"{len(turns)} turns are on record, of {held.turns}")
        require(len({turn.fence for turn in turns}) == len(turns), "I4", "two turns were committed by one fence")
        for turn in turns:
            require(turn.redrafts <= REDRAFTS, "I9", f"a turn was drafted anew {turn.redrafts} times")
            require(
                turn.trigger != "inbound" or turn.from_seq <= turn.to_seq,
                "I1",
                f"a turn answered {turn.from_seq} to {turn.to_seq}, which another had answered",
            )
        for one, following in pairwise([turn for turn in turns if turn.trigger == "inbound"]):
            require(
                one.to_seq < following.from_seq,
                "I1",
                f"{following.from_seq} was in a turn that ended with {one.to_seq}",
            )


def _nothing_is_answered_twice(now: Picture) -> None:
    answered = Counter(
        number
        for line in now.lines
        if line.turn_id is not None and (said := ANSWER.search(line.text)) is not None
        for number in said[1].split(",")
    )
    twice = [number for number, count in answered.items() if count > 1]
    require(not twice, "I1", f"line {twice[0] if twice else ''} was answered twice")


def _the_provider_took_each_once(now: Picture, books: Books) -> None:
    took = Counter(one.message_id for one in books.took)
    lines = {line.id: line for line in now.lines}
    for message_id, count in took.items():
        require(count == 1, "I3", f"{lines[message_id].text!r} was sent {count} times")


def _the_provider_took_them_in_order(now: Picture, books: Books, reviewed: Set[str]) -> None:
    """What was left to a person holds nobody back, so it may leave after what came after it."""
    lines = {line.id: line for line in now.lines}
    for held in now.conversations.values():
        took = [lines[one.message_id] for one in books.took if one.message_id not in reviewed]
        order = [line.seq for line in took if line.conversation_id == held.id]
        require(order == sorted(order), "I7", f"the messages of a conversation left in the order {order}")


def _tools_changed_each_once(books: Books) -> None:
    for (_, number), count in books.booked.items():
        require(count == 1, "I6", f"{number} was booked {count} times")
    for count in books.keys.values():
        require(count == 1, "I6", f"a call with one key was carried out {count} times")


def _turns_say_something(now: Picture) -> None:
    said = Counter(line.turn_id for line in now.lines)
    for turn in now.turns:
        if turn.outcome == "silent":
            require(turn.note, "I8", f"a turn over {turn.from_seq} to {turn.to_seq} said nothing, and not why")
        else:
            require(said[turn.id], "I8", f"a turn that {turn.outcome} said nothing")


def _ends_are_told_once(now: Picture) -> None:
    ends = Counter(event.conversation_id for event in now.events if event.kind == "conversation.ended")
    for held in now.conversations.values():
        told = ends[held.id]
        require(told == (held.mode == "ended"), "I11", f"a conversation in mode {held.mode} ended {told} times")


def _the_journal_tells_what_was_said(now: Picture) -> None:
    """Every word of an agent is an answer of its model that was written down in that turn or an earlier attempt at it.

    The fallback alone is nobody's answer.
    """
    for held in now.conversations.values():
        turns = {turn.id: n for n, turn in enumerate(now.turns_of(held.id))}
        for line in now.lines_of(held.id):
            if line.turn_id not in turns or ANSWER.search(line.text) is None:
                continue
            answers = [
                msgspec.json.decode(step.result)["text"]
                for step in now.steps
                if (step.conversation_id, step.kind, step.state, step.after_turns)
                == (held.id, "model", "done", turns[line.turn_id])
                and step.result is not None
            ]
            require(
                any(text.startswith(line.text) for text in answers),
                "I12",
                f"{line.text!r} stands in no step of its turn",
            )
