"""Bugs on purpose: each takes one safeguard out of the source, as a careless change would.

`Mutant.edits` are (module, what stands there, what stands there instead). The old text must occur exactly once, so that
whoever moves a safeguard is told which one the machine no longer takes away.
"""

from typing import Final

from msgspec import Struct


class Edit(Struct, frozen=True):
    """A change of one module's source."""

    module: str
    old: str
    new: str


class Mutant(Struct, frozen=True, kw_only=True):
    """A bug, the invariants of which one must break, and what must happen for that."""

    name: str
    edits: tuple[Edit, ...]
    breaks: frozenset[str]
    needs: frozenset[str]


def _mutant(name: str, breaks: str, needs: str, *edits: tuple[str, str, str]) -> Mutant:
    return Mutant(
        name=name,
        needs=frozenset(needs.split()),
        edits=tuple(Edit(f"overture.{module}", old, new) for module, old, new in edits),
        breaks=frozenset(breaks.split()),
    )


_EPOCH_AT_THE_CLAIM: Final = (
    "domain.leaving",
    "    elif leaving.epoch != leaving.conversation_epoch:\n",
    "    elif leaving.epoch is None:\n",
)

MUTANTS: Final = (
    _mutant(
        "a commit does not look at the fence",
        "I1 I4",
        "zombies",
        (
            "actions.commit_turn",
            "if present is None or present.fence != claimed.fence:",
            "if present is None:",
        ),
    ),
    _mutant(
        "a commit does not look at what came meanwhile",
        "I9",
        "late",
        (
            "actions.commit_turn",
            "if present.in_seq > draft.to_seq and draft.redrafts < REDRAFTS and not draft.is_final:",
            "if draft.redrafts > REDRAFTS:",
        ),
    ),
    _mutant(
        "a commit does not look at epoch and mode",
        "I1 I5 I11",
        "silences",
        (
            "actions.commit_turn",
            "if present.epoch != claimed.epoch or present.mode is not Mode.BOT:",
            "if present.epoch < claimed.epoch:",
        ),
    ),
    _mutant(
        "a draft is begun anew for ever",
        "I9",
        "late",
        ("actions.commit_turn", "draft.to_seq and draft.redrafts < REDRAFTS and not", "draft.to_seq and not"),
    ),
    _mutant(
        "a commit marks everything as handled that came",
        "I1 I8",
        "late",
        (
            "actions.commit_turn",
            "handled_seq=draft.to_seq if mode is Mode.BOT else present.in_seq,",
            "handled_seq=present.in_seq,",
        ),
    ),
    _mutant(
        "what a commit leaves over is not due",
        "I2",
        "late",
        ("actions.commit_turn", "due_at=now if more else None,", "due_at=None,"),
    ),
    _mutant(
        "a turn is shown the last line alone",
        "I1 I8",
        "",
        (
            "actions.claim_turns",
            "conversation.id, handled, up_to, HISTORY)\n",
            "conversation.id, handled, up_to, HISTORY)\n    waiting = waiting[-1:]\n",
        ),
    ),
    _mutant(
        "a claim does not keep others away",
        "I4",
        "",
        ("actions.claim_turns", "turns.claim_due(tx, now, now + LEASE, limit)", "turns.claim_due(tx, now, now, limit)"),
    ),
    _mutant(
        "a turn whose worker died is not taken up again",
        "I2",
        "deaths",
        ("store.turns", "c.turn_due_at <= $1 AND c.mode", "c.turn_due_at <= $1 AND NOT c.turn_leased AND c.mode"),
    ),
    _mutant(
        "a webhook that comes again is new",
        "I1",
        "",
        (
            "actions.keep_webhook",
            "kept.append((ids.new(now, shard), shard, event))",
            "kept.append((ids.new(now, shard), shard, _structs.replace(event, unique_key=ids.new(now))))",
        ),
        (
            "actions.keep_webhook",
            "from datetime import datetime\n",
            "from datetime import datetime\nfrom msgspec import structs as _structs\n",
        ),
    ),
    _mutant(
        "a call of unknown outcome is made again",
        "I6",
        "deaths",
        (
            "turns.journal",
            "return tools.unknown(need.tool) if need.changes and digest in self._unsure else None",
            "return None",
        ),
    ),
    _mutant(
        "a call that was made is not remembered",
        "I6",
        "deaths",
        ("turns.journal", "if digest in self._done and (", "if digest in () and ("),
    ),
    _mutant(
        "a call is intended without a look at the fence",
        "I6",
        "zombies",
        ("actions.intend_call", "if present is None or present.fence != claimed.fence:", "if present is None:"),
    ),
    _mutant(
        "a model that fails leaves silence",
        "I8",
        "faults",
        (
            "agents.kinds.prompt",
            "Finish(replies=(said,) if said else (), place=place, path=(place,), control=HandOver",
            "Finish(replies=(), place=place, path=(place,), control=HandOver",
        ),
    ),
    _mutant(
        "a message of unknown fate is sent again",
        "I3",
        "faults",
        (
            "actions.record_outcome",
            "self._change(send, outbox.OutboxState.UNCERTAIN, FIRST_LOOK)",
            "self._change(send, outbox.OutboxState.QUEUED, FIRST_LOOK)",
        ),
    ),
    _mutant(
        "a message whose sender died is sent again",
        "I3",
        "deaths",
        (
            "actions.open_searches",
            "                state=outbox.OutboxState.UNCERTAIN,\n",
            "                state=outbox.OutboxState.QUEUED,\n",
        ),
    ),
    _mutant(
        "a sender that was held up sends all the same",
        "I3",
        "sleepers",
        ("workers.outbox", "if self._elapsed() - began > OLDEST_CLAIM_SECONDS:", "if self._elapsed() < began:"),
    ),
    _mutant(
        "messages leave in any order",
        "I7",
        "",
        (
            "store.claims",
            "o.due_at <= $3 AND {_IS_FIRST}\n    ORDER BY o.due_at LIMIT $4",
            "o.due_at <= $3\n    ORDER BY o.seq DESC LIMIT $4",
        ),
    ),
    _mutant(
        "a takeover takes nothing back",
        "I5",
        "people",
        (
            "actions.take_over",
            "await cancel_deliveries(tx, [(present.thread_id, an_id, present.epoch)], now, ids, goes_on=True)",
            "pass",
        ),
    ),
    _mutant(
        "an end takes nothing back, and a claim does not look at the epoch",
        "I5",
        "anew",
        ("actions.end_conversation", "            await cancel_deliveries(tx, waiting, now, ids)\n", ""),
        _EPOCH_AT_THE_CLAIM,
    ),
    _mutant(
        "inactivity ends what waits for its answer",
        "I10",
        "timers",
        ("actions.fire_timers", "conversation.mode is Mode.BOT and not waits:", "conversation.mode is Mode.BOT:"),
    ),
    _mutant(
        "inactivity ends what people have",
        "I10",
        "people timers",
        ("actions.fire_timers", "rests_until <= now and conversation.mode is Mode.BOT and", "rests_until <= now and"),
    ),
    _mutant(
        "people are reminded of what one of them took",
        "I10",
        "people",
        ("actions.await_people", "present is None or present.epoch != timer.epoch or", "present is None or"),
    ),
    _mutant(
        "a turn is not counted",
        "I12",
        "",
        ("store.turns", "turns = conversation.turns + 1, tries = 0", "tries = 0"),
    ),
)
