"""The verbs of `overture deliveries` and `overture inbox`, on a data folder whose server does not run and on one whose
server does.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from overture.actions.claim_deliveries import Claims, claim_deliveries
from overture.actions.openings import Started
from overture.actions.record_outcome import Outcome, record_outcomes
from overture.actions.start_conversation import start_conversations
from overture.adapters.clock import SystemClock
from overture.adapters.ids import RandomIds
from overture.domain.channel import Channel
from overture.domain.errors import OutcomeUnknown
from overture.domain.ports import RawEvent
from overture.domain.sender import KeywordHandling, SenderKind
from overture.domain.sending import Start
from overture.store import agents, inbox, senders
from overture.store.engine import Writing
from overture.store.senders import Sender
from overture.store.sqlite import SqliteStore
from overture.store.statement import Command, Query
from tests.cli.commands import overture, running
from tests.world import ACCOUNT, ADA, AGENT, BOOKER, OURS

EVIL = "Hello \x1b[31mAda\x1b[0m [bold]you[/bold]\nsecond line"


def in_database(folder: Path, work: Callable[[Writing], Awaitable[Any]]) -> Any:
    """Something is done in the database of a data folder while no server runs."""

    async def run() -> Any:
        (folder / "data").mkdir(exist_ok=True)
        store = SqliteStore(folder / "data" / "overture.db", SystemClock())
        await store.open()
        try:
            return await store.write(work)
        finally:
            await store.close()

    return asyncio.run(run())


async def furnish(tx: Writing) -> None:
    """An agent and a sender."""
    now = SystemClock().now()
    await agents.save(tx, "default", AGENT, BOOKER, {}, now)
    sender = Sender(
        id="a-sender",
        workspace_id="default",
        account_sid=ACCOUNT,
        channel=Channel.SMS,
        address=OURS,
        kind=SenderKind.LONG_CODE,
        messaging_service_sid=None,
        keyword_handling=KeywordHandling.TWILIO,
        inbound_agent_id=None,
        activated_at=None,
        stopped_at=None,
        stopped_because=None,
    )
    await senders.upsert(tx, sender, now)


async def an_opening(tx: Writing) -> str:
    """A conversation that was just opened; its id."""
    await furnish(tx)
    asked = Start(
        workspace_id="default",
        agent_id=AGENT,
        channel=Channel.SMS,
        to_number=ADA,
        from_number=OURS,
        digest="d",
        text=EVIL,
    )
    [started] = await start_conversations(tx, [asked], SystemClock().now(), RandomIds())
    assert isinstance(started, Started)
    return started.conversation_id


async def put_in_review(tx: Writing) -> tuple[str, str]:
    """A conversation whose opening waits for a person; its id and the message's."""
    conversation_id = await an_opening(tx)
    now, ids = SystemClock().now(), RandomIds()
    [[sent]] = await claim_deliveries(tx, [Claims(limit=1)], now, ids)
    lost = OutcomeUnknown("twilio_no_answer", "The provider did not answer.")
    await record_outcomes(tx, [Outcome(message_id=sent.message_id, attempt=1, result=lost)], now, ids)
    await tx.run(Command("UPDATE outbox SET state = 'needs_review'"))
    await tx.run(Command("UPDATE message SET status = 'queued', reason = 'needs_review'"))
    return conversation_id, sent.message_id


async def leave_over(tx: Writing) -> str:
    """A webhook that failed with a traceback; its id."""
    await furnish(tx)
    now, ids = SystemClock().now(), RandomIds()
    event = RawEvent(kind="inbound", account_sid=ACCOUNT, unique_key="SM1", ordering_key="o", query="", body=b"Body=Hi")
    an_id = ids.new(now)
    await inbox.insert_all(tx, [(an_id, 1, event)], now)
    outcome = 'Traceback (most recent call last):\n  File "x"\nValueError: the end'
    await inbox.finish(tx, [inbox.Handled(id=an_id, shard=1, state="parked", outcome=outcome)])
    return an_id


def test_a_message_in_review_is_listed_shown_and_dropped(tmp_path: Path) -> None:
    conversation, message = in_database(tmp_path, put_in_review)
    listed = overture(tmp_path, "deliveries", "list")
    assert listed.returncode == 0, listed.stderr
    assert re.search(rf"{message} +\d+ s +1 +The provider did not answer\.\s+sms \{ADA} +Hello", listed.stdout)
    shown = overture(tmp_path, "deliveries", "show", message).stdout
    assert re.search(rf"conversation +{conversation}, line 1", shown)
    assert re.search(r"state +needs_review", shown)
    assert re.search(r"what to do +Look for it in the provider's log", shown)
    assert re.search(r"1 +\d{4}-.+uncertain +The provider did not answer\.", shown)
    assert re.search(rf"1 +{message} +needs_review", overture(tmp_path, "deliveries", "show", conversation).stdout)
    for text in (listed.stdout, shown):
        assert "\x1b" not in text
        assert "[bold]you[/bold] second line" in text
    dropped = overture(tmp_path, "deliveries", "drop", message, "--note", "by phone")
    assert dropped.stdout == f"The message {message} is dropped.\n", dropped.stderr
    assert overture(tmp_path, "deliveries", "drop", message).stdout == f"The message {message} was dropped before.\n"
    assert overture(tmp_path, "deliveries", "list").stdout == "No message waits for a decision.\n"
    again = overture(tmp_path, "deliveries", "resend", message)
    assert (again.returncode, "It is failed" in again.stderr or "it is failed" in again.stderr) == (1, True)


def test_an_id_can_be_copied_from_a_narrow_screen(tmp_path: Path) -> None:
    conversation, message = in_database(tmp_path, put_in_review)
    for words in (["list"], ["show", message], ["show", conversation]):
        told = overture(tmp_path, "deliveries", *words, COLUMNS="80").stdout
        assert message in told
        assert max(map(len, told.splitlines())) <= 80


def test_what_programs_read_is_json(tmp_path: Path) -> None:
    conversation, message = in_database(tmp_path, put_in_review)
    listed = json.loads(overture(tmp_path, "deliveries", "list", "--json").stdout)
    assert [one["message_id"] for one in listed["deliveries"]] == [message]
    assert listed["deliveries"][0]["text"] == EVIL
    assert json.loads(overture(tmp_path, "deliveries", "show", message, "--json").stdout)["state"] == "needs_review"
    (line,) = json.loads(overture(tmp_path, "deliveries", "show", conversation, "--json").stdout)
    assert line["id"] == message


def test_a_message_is_resent_while_no_server_runs(tmp_path: Path) -> None:
    _, message = in_database(tmp_path, put_in_review)
    sent = overture(tmp_path, "deliveries", "resend", message, "--valid-seconds", "600")
    assert sent.stdout == f"The message {message} is queued again; a running server sends it.\n", sent.stderr
    again = overture(tmp_path, "deliveries", "resend", message)
    assert again.stdout == f"The message {message} is being sent again already: it is queued.\n", again.stderr
    assert message in overture(tmp_path, "deliveries", "list", "--state", "queued").stdout


def test_a_running_server_is_asked_over_its_socket(tmp_path: Path) -> None:
    _, message = in_database(tmp_path, put_in_review)
    with running(tmp_path, "serve", "--port", "0") as server:
        server.until("listens on")
        assert message in overture(tmp_path, "deliveries", "list").stdout
        assert overture(tmp_path, "deliveries", "drop", message).returncode == 0
        assert overture(tmp_path, "inbox", "list").stdout == "Every webhook was handled.\n"


def test_a_left_over_webhook_is_listed_and_due_again(tmp_path: Path) -> None:
    webhook = in_database(tmp_path, leave_over)
    listed = overture(tmp_path, "inbox", "list")
    row = rf"{webhook} +parked +\d{{4}}-\S+ +ValueError: the end\s+SM1 +inbound"
    assert re.search(row, listed.stdout), listed.stderr
    assert [one["id"] for one in json.loads(overture(tmp_path, "inbox", "list", "--json").stdout)["events"]] == [
        webhook
    ]
    assert overture(tmp_path, "inbox", "list", "--state", "unrouted").stdout == "Every webhook was handled.\n"
    tried = overture(tmp_path, "inbox", "retry", webhook)
    assert tried.stdout == f"The webhook {webhook} is due again; a running server handles it.\n", tried.stderr
    again = overture(tmp_path, "inbox", "retry", webhook)
    assert again.stdout == f"The webhook {webhook} is due already.\n"

    async def is_due(tx: Writing) -> Any:
        return await tx.one(Query("SELECT state, due_at IS NOT NULL FROM inbox"))

    state, due = in_database(tmp_path, is_due)
    assert (state, bool(due)) == ("new", True)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["deliveries", "list", "--state", "sent"], 2, "--state: 'sent' is no state of a message that has not left."),
        (["deliveries", "list", "--limit", "0"], 2, "--limit: '0' is no whole number from 1 to 200."),
        (["deliveries", "list"], 1, "There is no data folder"),
        (["deliveries", "show", "x"], 1, "There is no data folder"),
        (["deliveries", "resend", "x", "--valid-seconds", "soon"], 2, "--valid-seconds: 'soon' is no whole number"),
        (["inbox", "list", "--state", "lost"], 2, "--state: 'lost' is no state of a left-over webhook."),
        (["inbox", "retry", "x"], 1, "There is no data folder"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, arguments: list[str], status: int, told: str) -> None:
    run = overture(tmp_path, *arguments)
    assert (run.returncode, told in run.stderr) == (status, True), run.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["deliveries", "show", "x"], "No message x waits in the outbox or was ever tried."),
        (["deliveries", "drop", "x"], "No message x waits in the outbox or was ever tried."),
        (["inbox", "retry", "x"], "There is no webhook x."),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "data").mkdir()
    run = overture(tmp_path, *arguments)
    assert (run.returncode, told in run.stderr) == (1, True), run.stderr
    assert "Traceback" not in run.stderr
