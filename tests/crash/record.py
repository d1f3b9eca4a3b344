"""The record of a case: everything that was asked, typed, taken and stored, as plain values that a file can hold.

A case is judged from its record alone (history.py), so that anybody can count again from the report. What the provider
took stands in Handset's own words; what the server believes stands beside it and is never taken for the truth.
"""

from datetime import datetime

import msgspec
from msgspec import Struct


class Noted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a record."""


class Case(Noted, frozen=True, kw_only=True, omit_defaults=True):
    """Which case: the plan of faults, the database, the boundary of its first life at which the server dies.

    `kill` None: it is left alone. With `of` the boundary is counted among those of that name: where many do different
    things side by side, the N-th of all is another one from life to life. `again` is the boundary of its second life at
    which it dies once more.
    """

    plan: str
    database: str
    kill: int | None = None
    of: str | None = None
    again: int | None = None
    bug: str | None = None


class Asked(Noted, frozen=True, kw_only=True, omit_defaults=True):
    """A conversation that a client asked for.

    `text` is what the contact reads. `conversation_id` is the server's answer, None where none was read; `answers`
    holds every answer to the calls made with this key, in order.
    """

    key: str
    person: str
    sender: str
    to: str
    text: str
    conversation_id: str | None = None
    answers: tuple[str, ...] = ()


class Typed(Noted, frozen=True, kw_only=True, omit_defaults=True):
    """A line that a contact typed, under the SID that Handset gave it.

    `echo` is the word that a reply to it repeats, None where no reply repeats it (a keyword, a wish for a person).
    `is_owed` where a reply must come: not beside a STOP, and not after a hand-over.
    """

    sid: str
    person: str
    sender: str
    contact: str
    body: str
    at: datetime
    echo: str | None = None
    is_owed: bool = True


class Taken(Noted, frozen=True, kw_only=True, omit_defaults=True):
    """A message as Handset has it, in the order in which Handset took it. `auto`: the carrier's own answer."""

    sid: str
    sender: str
    to: str
    body: str
    inbound: bool
    status: str
    at: datetime
    error_code: int | None = None
    auto: bool = False
    is_told: bool = True


class Line(Noted, frozen=True, kw_only=True, omit_defaults=True):
    """A message as the server has it. `sids` are all that its attempts got, oldest first."""

    id: str
    conversation_id: str
    seq: int
    inbound: bool
    author: str
    text: str
    status: str | None
    at: datetime
    reason: str | None = None
    sid: str | None = None
    possible_duplicate: bool = False
    sids: tuple[str, ...] = ()


class Tried(Noted, frozen=True, kw_only=True, omit_defaults=True):
    """An attempt as the server has it."""

    message_id: str
    number: int
    state: str
    started_at: datetime
    sid: str | None = None


class Conversation(Noted, frozen=True, kw_only=True, omit_defaults=True):
    """A conversation as the server has it. `handed_over_at`: when its agent gave it to people."""

    id: str
    contact: str
    channel: str
    mode: str
    end_reason: str | None = None
    handed_over_at: datetime | None = None


class OptOut(Noted, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the consent ledger: once it is committed nothing goes to this contact but one confirmation.

    `at` is when its transaction began, `known_at` an instant at which it had been committed.
    """

    contact: str
    at: datetime
    known_at: datetime


class Death(Noted, frozen=True, kw_only=True, omit_defaults=True):
    """How a life of the server ended: at which boundary, and with which exit code (negative: the signal's number).

    `asked` is the boundary it was told to die at, None where it was left alone; the last life is told to stop.
    """

    life: int
    exit_code: int
    passed: int
    at: str
    asked: int | None = None


class Record(Noted, frozen=True, kw_only=True, omit_defaults=True):
    """A case and everything that became of it.

    `confirmation` is the one text that may follow a STOP, `fixed` the texts of the agent that repeat nothing (each
    person reads each at most once), `given_up` what the agent says where it hands over because a turn would not
    succeed. `may_repeat` where the provider was made to accept later than the settle time.
    `is_swept` where the server reads the provider's list for what webhooks lost. `restarts` counts how often the
    database went down in place of the server. `left` names what the server had
    not finished when the harness gave up waiting; empty where all came to rest.
    """

    case: Case
    asked: tuple[Asked, ...] = ()
    typed: tuple[Typed, ...] = ()
    taken: tuple[Taken, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    lines: tuple[Line, ...] = ()
    attempts: tuple[Tried, ...] = ()
    opt_outs: tuple[OptOut, ...] = ()
    deaths: tuple[Death, ...] = ()
    left: tuple[str, ...] = ()
    restarts: int = 0
    faults: int = 0
    confirmation: str = ""
    fixed: tuple[str, ...] = ()
    given_up: str = ""
    may_repeat: bool = False
    is_swept: bool = False
    boundaries: tuple[str, ...] = ()
    seconds: float = 0.0


def encode(record: Record) -> bytes:
    """A record as a line of a report."""
    return msgspec.json.encode(record) + b"\n"


def decode(line: bytes) -> Record:
    """A line of a report. Raises msgspec.DecodeError for anything else."""
    return msgspec.json.decode(line, type=Record)
