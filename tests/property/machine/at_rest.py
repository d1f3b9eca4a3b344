"""What holds once every fault is over and everything had its time."""

from collections.abc import Mapping, Set

from tests.property.machine.breach import require
from tests.property.machine.peers import ANSWER
from tests.property.machine.picture import Picture


def is_at_rest(now: Picture) -> bool:
    """Whether nothing waits to be read, answered or sent; what waits for a person waits well."""
    return (
        not now.unread
        and all(held.turn_due_at is None for held in now.conversations.values())
        and all(row.state == "needs_review" for row in now.outbox)
        and all(held.mode != "bot" or held.handled_seq == held.in_seq for held in now.conversations.values())
    )


def check(now: Picture, acknowledged: Set[str], owed: Mapping[str, tuple[str, int]]) -> None:
    """Raise BreachError for the first thing that was not done. `owed` gives (conversation, epoch) of each line."""
    kept = {line.provider_sid for line in now.lines}
    lost = acknowledged - kept
    require(not lost, "I1", f"{len(lost)} acknowledged webhooks are no lines")
    for held in now.conversations.values():
        if held.mode == "bot":
            require(
                held.handled_seq == held.in_seq,
                "I2",
                f"of {held.in_seq} lines {held.handled_seq} were handled, and nothing more happens",
            )
        require(held.turn_due_at is None, "I2", "a turn is due, and nobody takes it")
    waiting = [row for row in now.outbox if row.state != "needs_review"]
    require(
        not waiting, "I2", f"message {waiting[0].seq if waiting else ''} waits as {waiting[0].state if waiting else ''}"
    )
    answered = {
        number
        for line in now.lines
        if line.turn_id is not None and (said := ANSWER.search(line.text)) is not None
        for number in said[1].split(",")
    }
    for number, (conversation_id, epoch) in owed.items():
        held = now.conversations[conversation_id]
        if held.mode == "bot" and held.epoch == epoch:
            require(number in answered, "I1", f"line {number} is handled, and was never answered")
