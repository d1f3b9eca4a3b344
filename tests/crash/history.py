"""The judge: what a record breaks of what was promised. Pure: a record goes in, findings come out.

P1   what was acknowledged is there, and reached the provider        lost
P2   the provider took nothing twice                                 duplicate
P7   inside a conversation the provider's order is ours              order
P22  after STOP nothing goes to the contact but one confirmation     opt-out
P23  after a hand-over the agent is silent                           hand-over

The provider's record and the script of what was asked and typed decide. The server's own word counts in one place: a
message that did not go out is accounted for when the server says so to its operator, with a reason. A contact who was
told that the agent gives up, and that a person takes over, is owed no more replies of the agent.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from tests.crash.record import Line, Record, Taken

_SAID_SO: Final = frozenset({"failed", "undelivered", "canceled"})


class Breach(StrEnum):
    """What can be broken."""

    LOST = "lost"
    DUPLICATE = "duplicate"
    ORDER = "order"
    OPT_OUT = "opt-out"
    HAND_OVER = "hand-over"
    UNEXPECTED = "unexpected"
    UNFINISHED = "unfinished"
    STOP = "stop"


class Finding(Struct, frozen=True, kw_only=True):
    """One breach, with the words that tell a person what happened. `count` of messages."""

    breach: Breach
    what: str
    count: int = 1


def check(record: Record) -> list[Finding]:
    """Every breach in a record; none where all promises held."""
    return [
        *_openings(record),
        *_replies(record),
        *_strangers(record),
        *_heard_once(record),
        *_order(record),
        *_opt_outs(record),
        *_hand_overs(record),
        *_ends(record),
    ]


def _openings(record: Record) -> Iterable[Finding]:
    """Every acknowledged opening is at the provider once; one that was never acknowledged is there once at most."""
    sent = Counter((one.sender, one.to, one.body) for one in _outbound(record))
    known = {conversation.id for conversation in record.conversations}
    wanted: Counter[tuple[str, str, str]] = Counter()
    allowed: Counter[tuple[str, str, str]] = Counter()
    for asked in record.asked:
        place = (asked.sender, asked.to, asked.text)
        allowed[place] += 1
        wanted[place] += asked.conversation_id is not None
        if asked.conversation_id is not None and asked.conversation_id not in known:
            yield _lost(f"the conversation {asked.conversation_id} was acknowledged ({asked.key}) and is not there")
        if len(given := set(asked.answers)) > 1:
            yield Finding(breach=Breach.DUPLICATE, what=f"the key {asked.key} brought {' and '.join(sorted(given))}")
    for place, count in allowed.items():
        lines = [line for line in record.lines if not line.inbound and line.text == place[2]]
        yield from _counted(record, f"the opening to {place[1]}", sent[place], wanted[place], count, lines)


def _replies(record: Record) -> Iterable[Finding]:
    """Every line that is owed a reply has one that repeats its word, and no line has more."""
    allowed: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    told = {one.sid for one in record.taken if one.is_told}
    given_up = {one.to for one in _outbound(record) if one.body == record.given_up}
    for typed in record.typed:
        if typed.echo is not None:
            allowed[typed.echo] += 1
            is_owed = typed.is_owed and typed.contact not in given_up
            wanted[typed.echo] += is_owed and (record.is_swept or typed.sid in told)
    outbound = list(_outbound(record))
    for word, count in allowed.items():
        sent = sum(_repeats(one.body, word) for one in outbound)
        lines = [line for line in record.lines if not line.inbound and _repeats(line.text, word)]
        yield from _counted(record, f"the reply to {word!r}", sent, wanted[word], count, lines)


def _counted(record: Record, what: str, sent: int, wanted: int, allowed: int, lines: list[Line]) -> Iterable[Finding]:
    excused = sum(_is_accounted_for(line) for line in lines)
    if sent + excused < wanted:
        yield _lost(f"{what}: the provider has {sent} of {wanted}", wanted - sent - excused)
    flagged = sum(line.possible_duplicate for line in lines) if record.may_repeat else 0
    if sent > allowed + flagged:
        more = sent - allowed - flagged
        yield Finding(breach=Breach.DUPLICATE, what=f"{what}: the provider has {sent} of {allowed}", count=more)


def _strangers(record: Record) -> Iterable[Finding]:
    """The provider has nothing that nobody asked for; what repeats no word, each person reads once."""
    openings = {(one.sender, one.to, one.text) for one in record.asked}
    words = {typed.echo for typed in record.typed if typed.echo is not None}
    fixed: Counter[tuple[str, str]] = Counter()
    for one in _outbound(record):
        if one.body in {*record.fixed, record.confirmation, record.given_up}:
            fixed[one.to, one.body] += 1
        elif (one.sender, one.to, one.body) not in openings and not any(_repeats(one.body, word) for word in words):
            yield Finding(breach=Breach.UNEXPECTED, what=f"{one.to} was sent {one.body!r}")
    for (to, body), count in fixed.items():
        flagged = sum(line.possible_duplicate for line in record.lines if line.text == body) if record.may_repeat else 0
        if count > 1 + flagged:
            yield Finding(
                breach=Breach.DUPLICATE, what=f"{to} was sent {body!r} {count} times", count=count - 1 - flagged
            )


def _heard_once(record: Record) -> Iterable[Finding]:
    """Every line that was typed is in one conversation, once."""
    kept = Counter(line.sid for line in record.lines if line.inbound)
    told = {one.sid for one in record.taken if one.is_told}
    for typed in record.typed:
        if kept[typed.sid] > 1:
            yield Finding(breach=Breach.DUPLICATE, what=f"{typed.body!r} was received {kept[typed.sid]} times")
        if not kept[typed.sid] and (record.is_swept or typed.sid in told):
            yield _lost(f"{typed.body!r} of {typed.contact} was never received")


def _order(record: Record) -> Iterable[Finding]:
    """The provider took a conversation's messages in their order, and each person read replies as they had asked."""
    place = {one.sid: n for n, one in enumerate(record.taken) if not one.inbound}
    told = {one.sid for one in record.taken if one.is_told}  # what the webhooks lost is heard later, and answered later
    before: dict[str, tuple[int, Line]] = {}
    for line in sorted(record.lines, key=lambda line: line.seq):
        taken = min((place[sid] for sid in line.sids if sid in place), default=None)
        if line.inbound or taken is None:
            continue
        if line.conversation_id in before and taken < before[line.conversation_id][0]:
            what = f"{line.text!r} went out before {before[line.conversation_id][1].text!r}"
            yield Finding(breach=Breach.ORDER, what=what)
        before[line.conversation_id] = (taken, line)
    for person in sorted({typed.person for typed in record.typed}):
        lines = [typed for typed in record.typed if typed.person == person and typed.sid in told]
        words = [typed.echo for typed in lines if typed.echo is not None]
        if len(set(words)) < len(words):
            continue  # a word that was typed twice has two replies, and which is which nobody can say
        first = [
            next((n for n, one in enumerate(record.taken) if not one.inbound and _repeats(one.body, word)), None)
            for word in words
        ]
        seen = [n for n in first if n is not None]
        if seen != sorted(seen):
            yield Finding(breach=Breach.ORDER, what=f"{person} read replies in another order than they were asked for")


def _opt_outs(record: Record) -> Iterable[Finding]:
    """After the commit of a STOP no message is claimed for the contact, but the one confirmation."""
    started = {tried.sid: tried.started_at for tried in record.attempts if tried.sid is not None}
    for opt_out in record.opt_outs:
        for one in _outbound(record):
            if _bare(one.to) != opt_out.contact or one.at <= opt_out.known_at or one.body == record.confirmation:
                continue
            if (claimed := started.get(one.sid)) is None or claimed > opt_out.known_at:
                yield Finding(breach=Breach.OPT_OUT, what=f"{one.to} had opted out and was sent {one.body!r}")


def _hand_overs(record: Record) -> Iterable[Finding]:
    """After a hand-over the agent writes nothing into the conversation."""
    for conversation in record.conversations:
        if conversation.handed_over_at is None:
            continue
        for line in record.lines:
            late = line.at > conversation.handed_over_at and line.conversation_id == conversation.id
            if late and line.author == "agent":
                what = f"the agent wrote {line.text!r} after it had handed over"
                yield Finding(breach=Breach.HAND_OVER, what=what)
    for typed in record.typed:
        if typed.echo is not None and not typed.is_owed and _is_after_hand_over(record, typed.person, typed.sid):
            for one in _outbound(record):
                if _repeats(one.body, typed.echo):
                    what = f"{typed.person} was answered {one.body!r} after the hand-over"
                    yield Finding(breach=Breach.HAND_OVER, what=what)


def _is_after_hand_over(record: Record, person: str, sid: str) -> bool:
    """Whether a person had read that a colleague takes over before they typed a line."""
    typed = next(one for one in record.typed if one.sid == sid)
    contacts = {conversation.contact for conversation in record.conversations if conversation.handed_over_at}
    return _bare(typed.contact) in contacts and person == typed.person


def _ends(record: Record) -> Iterable[Finding]:
    """All work comes to rest, and a server that was not killed ends well."""
    if record.left:
        yield Finding(breach=Breach.UNFINISHED, what="; ".join(record.left), count=len(record.left))
    for death in record.deaths:
        if death.exit_code not in {0, -9} or (death.exit_code == -9 and death.asked is None):
            what = f"life {death.life} ended with {death.exit_code} after boundary {death.passed} ({death.at})"
            yield Finding(breach=Breach.STOP, what=what)


def _outbound(record: Record) -> Iterable[Taken]:
    return (one for one in record.taken if not one.inbound and not one.auto)


def _is_accounted_for(line: Line) -> bool:
    """Whether the server told its operator that this message did not go out, or may not have."""
    return not line.sids and (line.reason is not None or line.status in _SAID_SO)


def _repeats(text: str, word: str) -> int:
    """How often a text repeats a word: twice, where it answers two lines that said the same."""
    return text.replace(".", " ").split().count(word)


def _bare(address: str) -> str:
    return address.removeprefix("whatsapp:")


def _lost(what: str, count: int = 1) -> Finding:
    return Finding(breach=Breach.LOST, what=what, count=count)
