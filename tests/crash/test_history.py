"""The judge finds what is wrong: each history here is bad in one way, and is found to be bad in that way alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from tests.crash import history
from tests.crash.history import Breach
from tests.crash.record import (
    Asked,
    Case,
    Conversation,
    Death,
    Line,
    OptOut,
    Record,
    Taken,
    Tried,
    Typed,
)

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
OURS = "+15551230001"
ADA, BOB, DORA, FAY = "+15550100001", "+15550100002", "+15550100004", "+15550100006"
HELLO, TWIN, CONFIRMED, COLLEAGUE = "Hello ada", "Hello bob", "You are unsubscribed now.", "A colleague writes."


def at(seconds: float) -> datetime:
    """An instant of the history."""
    return NOON + timedelta(seconds=seconds)


def taken(sid: str, to: str, body: str, seconds: float) -> Taken:
    """A message that the provider took from us."""
    return Taken(sid=sid, sender=OURS, to=to, body=body, inbound=False, status="delivered", at=at(seconds))


def came(sid: str, contact: str, body: str, seconds: float) -> Taken:
    """A message that a contact typed, as the provider has it."""
    return Taken(sid=sid, sender=contact, to=OURS, body=body, inbound=True, status="received", at=at(seconds))


def said(an_id: str, where: str, seq: int, text: str, seconds: float, *sids: str, author: str = "agent") -> Line:
    """A line of ours, as the server has it."""
    return Line(
        id=an_id,
        conversation_id=where,
        seq=seq,
        inbound=False,
        author=author,
        text=text,
        status="delivered" if sids else None,
        at=at(seconds),
        sid=sids[0] if sids else None,
        sids=sids,
    )


def heard(where: str, seq: int, text: str, seconds: float, sid: str) -> Line:
    """A contact's line, as the server has it."""
    return Line(
        id=f"in-{sid}",
        conversation_id=where,
        seq=seq,
        inbound=True,
        author="contact",
        text=text,
        status="received",
        at=at(seconds),
        sid=sid,
    )


def typed(sid: str, person: str, contact: str, body: str, seconds: float, echo: str | None, *, owed: bool) -> Typed:
    """A line that a contact typed."""
    return Typed(
        sid=sid, person=person, sender=OURS, contact=contact, body=body, at=at(seconds), echo=echo, is_owed=owed
    )


GOOD = Record(
    case=Case(plan="clean", database="sqlite", kill=7),
    confirmation=CONFIRMED,
    fixed=(COLLEAGUE,),
    given_up="We cannot.",
    is_swept=True,
    asked=(
        Asked(key="ada-1", person="ada", sender=OURS, to=ADA, text=HELLO, conversation_id="A", answers=("A",)),
        Asked(key="bob-1", person="bob", sender=OURS, to=BOB, text=TWIN, conversation_id="B", answers=("B", "B")),
        Asked(key="bob-2", person="bob", sender=OURS, to=BOB, text=TWIN),
        Asked(
            key="dora-1", person="dora", sender=OURS, to=DORA, text="Hello dora", conversation_id="D", answers=("D",)
        ),
        Asked(key="fay-1", person="fay", sender=OURS, to=FAY, text="Hello fay", conversation_id="F", answers=("F",)),
    ),
    typed=(
        typed("I1", "ada", ADA, "alpha", 20, "alpha", owed=True),
        typed("I2", "ada", ADA, "omega", 40, "omega", owed=True),
        typed("I3", "dora", DORA, "STOP", 20, "unsubscribed", owed=True),
        typed("I4", "fay", FAY, "a person please", 20, "colleague", owed=True),
        typed("I5", "fay", FAY, "late", 60, "late", owed=False),
    ),
    taken=(
        taken("O1", ADA, HELLO, 10),
        taken("O2", BOB, TWIN, 10),
        taken("O3", DORA, "Hello dora", 10),
        taken("O4", FAY, "Hello fay", 10),
        came("I1", ADA, "alpha", 20),
        came("I3", DORA, "STOP", 20),
        came("I4", FAY, "a person please", 20),
        taken("O5", ADA, "Noted alpha.", 30),
        taken("O6", DORA, CONFIRMED, 30),
        taken("O7", FAY, COLLEAGUE, 30),
        came("I2", ADA, "omega", 40),
        taken("O8", ADA, "Noted omega.", 50),
        came("I5", FAY, "late", 60),
    ),
    conversations=(
        Conversation(id="A", contact=ADA, channel="sms", mode="bot"),
        Conversation(id="B", contact=BOB, channel="sms", mode="bot"),
        Conversation(id="D", contact=DORA, channel="sms", mode="ended", end_reason="opt_out"),
        Conversation(id="F", contact=FAY, channel="sms", mode="human", handed_over_at=at(29)),
    ),
    lines=(
        said("a1", "A", 1, HELLO, 5, "O1", author="caller"),
        heard("A", 2, "alpha", 21, "I1"),
        said("a3", "A", 3, "Noted alpha.", 29, "O5"),
        heard("A", 4, "omega", 41, "I2"),
        said("a5", "A", 5, "Noted omega.", 49, "O8"),
        said("b1", "B", 1, TWIN, 5, "O2", author="caller"),
        said("d1", "D", 1, "Hello dora", 5, "O3", author="caller"),
        heard("D", 2, "STOP", 21, "I3"),
        said("d3", "D", 3, CONFIRMED, 21, "O6"),
        said("f1", "F", 1, "Hello fay", 5, "O4", author="caller"),
        heard("F", 2, "a person please", 21, "I4"),
        said("f3", "F", 3, COLLEAGUE, 29, "O7"),
        heard("F", 4, "late", 61, "I5"),
    ),
    attempts=tuple(
        Tried(message_id=message_id, number=1, state="accepted", started_at=at(seconds), sid=sid)
        for message_id, seconds, sid in [
            *(("a1", 9, "O1"), ("a3", 29, "O5"), ("a5", 49, "O8"), ("b1", 9, "O2"), ("d1", 9, "O3")),
            *(("d3", 29, "O6"), ("f1", 9, "O4"), ("f3", 29, "O7")),
        ]
    ),
    opt_outs=(OptOut(contact=DORA, at=at(21), known_at=at(22)),),
    deaths=(
        Death(life=1, exit_code=-9, passed=7, at="before send", asked=7),
        Death(life=2, exit_code=0, passed=90, at="after send"),
    ),
)
"""Two conversations that went well, one of which was asked for twice; one that STOP ended, one that was handed over."""


def without(record: Record, *sids: str) -> Record:
    """The provider never took these."""
    lines = tuple(
        replace(line, sids=tuple(s for s in line.sids if s not in sids), sid=None if line.sid in sids else line.sid)
        for line in record.lines
    )
    return replace(record, taken=tuple(one for one in record.taken if one.sid not in sids), lines=lines)


def also(record: Record, *more: Taken) -> Record:
    """The provider took more."""
    return replace(record, taken=(*record.taken, *more))


def with_line(record: Record, an_id: str, **changes: object) -> Record:
    """One line of ours is otherwise."""
    return replace(record, lines=tuple(replace(line, **changes) if line.id == an_id else line for line in record.lines))


def swapped(record: Record, first: str, second: str) -> Record:
    """The provider took two messages in each other's place."""
    place = {one.sid: n for n, one in enumerate(record.taken)}
    order = list(record.taken)
    order[place[first]], order[place[second]] = order[place[second]], order[place[first]]
    return replace(record, taken=tuple(order))


def breaches(record: Record) -> set[Breach]:
    return {finding.breach for finding in history.check(record)}


def test_a_history_in_which_all_went_well_has_no_findings() -> None:
    assert history.check(GOOD) == []


@pytest.mark.parametrize(
    ("what", "bad", "breach"),
    [
        ("an acknowledged opening that never went out", lambda r: without(r, "O1"), Breach.LOST),
        (
            "an acknowledged conversation that is not there",
            lambda r: replace(r, conversations=r.conversations[1:]),
            Breach.LOST,
        ),
        ("a reply that was never sent", lambda r: without(r, "O8"), Breach.LOST),
        ("a STOP that was never confirmed", lambda r: without(r, "O6"), Breach.LOST),
        ("a wish for a person without an answer", lambda r: without(r, "O7"), Breach.LOST),
        (
            "a line that nobody kept",
            lambda r: replace(r, lines=tuple(line for line in r.lines if line.sid != "I5")),
            Breach.LOST,
        ),
        ("an opening twice", lambda r: also(r, taken("O9", ADA, HELLO, 70)), Breach.DUPLICATE),
        ("a reply twice", lambda r: also(r, taken("O9", ADA, "Noted omega.", 70)), Breach.DUPLICATE),
        ("the text of a hand-over twice", lambda r: also(r, taken("O9", FAY, COLLEAGUE, 70)), Breach.DUPLICATE),
        (
            "one key that brought two conversations",
            lambda r: replace(r, asked=(replace(r.asked[0], answers=("A", "B")), *r.asked[1:])),
            Breach.DUPLICATE,
        ),
        (
            "a line that was kept twice",
            lambda r: replace(r, lines=(*r.lines, heard("A", 6, "alpha", 70, "I1"))),
            Breach.DUPLICATE,
        ),
        (
            "a third opening where two were asked for",
            lambda r: also(r, taken("O9", BOB, TWIN, 70), taken("OA", BOB, TWIN, 71)),
            Breach.DUPLICATE,
        ),
        ("a text from nowhere", lambda r: also(r, taken("O9", ADA, "Win a car!", 70)), Breach.UNEXPECTED),
        ("a reply before its opening", lambda r: swapped(r, "O1", "O5"), Breach.ORDER),
        ("two replies in each other's place", lambda r: swapped(r, "O5", "O8"), Breach.ORDER),
        (
            "a message to a contact who had opted out",
            lambda r: replace(
                also(r, taken("O9", DORA, "Hello dora", 70)),
                asked=(*r.asked, Asked(key="dora-2", person="dora", sender=OURS, to=DORA, text="Hello dora")),
                lines=(*r.lines, said("d4", "D", 4, "Hello dora", 5, "O9", author="caller")),
                attempts=(
                    *r.attempts,
                    Tried(message_id="d4", number=1, state="accepted", started_at=at(69), sid="O9"),
                ),
            ),
            Breach.OPT_OUT,
        ),
        (
            "an answer of the agent after it had handed over",
            lambda r: replace(
                also(r, taken("O9", FAY, "Noted late.", 70)),
                lines=(*r.lines, said("f5", "F", 5, "Noted late.", 69, "O9")),
            ),
            Breach.HAND_OVER,
        ),
        ("work that never came to rest", lambda r: replace(r, left=("outbox queued a1",)), Breach.UNFINISHED),
        (
            "a stop that ended badly",
            lambda r: replace(r, deaths=(Death(life=1, exit_code=1, passed=9, at="after send"),)),
            Breach.STOP,
        ),
        (
            "a server that died by itself",
            lambda r: replace(r, deaths=(Death(life=1, exit_code=-9, passed=9, at="after send"),)),
            Breach.STOP,
        ),
    ],
)
def test_a_bad_history_is_found_to_be_bad(what: str, bad: Callable[[Record], Record], breach: Breach) -> None:
    assert breaches(bad(GOOD)) == {breach}, what


@pytest.mark.parametrize(
    ("what", "fine"),
    [
        ("an opening that nobody acknowledged, and that went out", lambda r: also(r, taken("O9", BOB, TWIN, 70))),
        (
            "an opening that did not go out, with a reason for its operator",
            lambda r: with_line(without(r, "O1"), "a1", status="failed", reason="expired"),
        ),
        (
            "a send that was claimed before the STOP and arrived after it",
            lambda r: replace(r, taken=tuple(replace(one, at=at(25)) if one.sid == "O3" else one for one in r.taken)),
        ),
        (
            "a turn that would not succeed, of which the contact was told",
            lambda r: also(without(r, "O8"), taken("O9", ADA, "We cannot.", 70)),
        ),
        (
            "one reply to a word that was typed twice, which repeats it twice",
            lambda r: replace(
                r,
                typed=(*r.typed, typed("I6", "ada", ADA, "omega", 41, "omega", owed=True)),
                taken=(
                    *(one if one.sid != "O8" else replace(one, body="Noted omega omega.") for one in r.taken),
                    came("I6", ADA, "omega", 41),
                ),
                lines=(*r.lines, heard("A", 6, "omega", 42, "I6")),
            ),
        ),
        (
            "the carrier's own answer to a STOP",
            lambda r: also(r, replace(taken("O9", DORA, "You are out.", 70), auto=True)),
        ),
        (
            "a duplicate that is flagged, of a provider that accepts too late",
            lambda r: replace(
                with_line(also(r, taken("O9", ADA, HELLO, 70)), "a1", possible_duplicate=True), may_repeat=True
            ),
        ),
    ],
)
def test_what_looks_wrong_and_is_not(what: str, fine: Callable[[Record], Record]) -> None:
    assert history.check(fine(GOOD)) == [], what


def test_a_flag_excuses_no_duplicate_of_a_provider_that_accepts_in_time() -> None:
    twice = with_line(also(GOOD, taken("O9", ADA, HELLO, 70)), "a1", possible_duplicate=True)
    assert breaches(twice) == {Breach.DUPLICATE}


def test_a_flag_excuses_one_duplicate_and_not_two() -> None:
    thrice = also(GOOD, taken("O9", ADA, HELLO, 70), taken("OA", ADA, HELLO, 71))
    flagged = replace(with_line(thrice, "a1", possible_duplicate=True), may_repeat=True)
    assert breaches(flagged) == {Breach.DUPLICATE}


def test_a_line_whose_webhook_never_came_is_lost_only_where_lists_are_swept() -> None:
    untold = replace(
        GOOD,
        taken=tuple(replace(one, is_told=one.sid != "I2") for one in without(GOOD, "O8").taken),
        lines=tuple(line for line in GOOD.lines if line.sid not in {"I2", "O8"}),
    )
    assert breaches(untold) == {Breach.LOST}
    assert breaches(replace(untold, is_swept=False)) == set()
