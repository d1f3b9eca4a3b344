"""Starting conversations: what is written, what is refused and leaves nothing, and who gives way to whom."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from overture.actions.claim_deliveries import Claims, claim_deliveries
from overture.actions.openings import Answer, Started
from overture.actions.start_conversation import DryRun, dry_run, start_conversations
from overture.domain.agent import (
    EndReason,
    FlowSpec,
    Node,
    OnActive,
    OpeningPreference,
    PromptSpec,
    TemplateUse,
    Variable,
)
from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.errors import Refusal
from overture.domain.message import Author
from overture.domain.sending import Start
from overture.store.batch import Batch
from tests.world import AGENT, BOB, BOOKER, NOON, SMS, WHATSAPP, World, a_world, add_sender

USE = TemplateUse(content_sid="HX" + "0" * 32, variables={"1": "Ada"})
GREETING = "Hello! Which day suits you?"


async def test_a_conversation_is_on_disk_with_its_message_its_timer_and_its_event(world: World) -> None:
    an_id = await world.starts(variables={"name": "Ada"})
    conversation = await world.conversation(an_id)
    assert (conversation.mode, conversation.epoch, conversation.agent_id) == (Mode.BOT, 0, AGENT)
    assert conversation.variables == {"name": "Ada"}
    [line] = await world.lines(an_id)
    assert (line.text, line.author, line.status, line.seq) == ("Hello Ada", Author.CALLER, None, 1)
    counts = await world.counts()
    assert {table: n for table, n in counts.items() if n} == {
        **dict.fromkeys(("contact", "thread", "conversation", "message", "outbox", "timer", "event"), 1)
    }
    shards = {
        await world.value(f"SELECT shard FROM {t}") for t in ("contact", "thread", "conversation", "message", "outbox")
    }
    assert len(shards) == 1


HEARD = {"open": timedelta(hours=1), "closed": timedelta(hours=24), "unknown": None}


@pytest.mark.parametrize(
    ("channel", "window", "asked", "opens_with"),
    [
        (SMS, "unknown", "text", "Hello Ada"),
        (SMS, "unknown", "template", USE.content_sid),
        (SMS, "unknown", "both", "Hello Ada"),
        (SMS, "unknown", "neither", GREETING),
        (SMS, "closed", "text", "Hello Ada"),
        (WHATSAPP, "open", "text", "Hello Ada"),
        (WHATSAPP, "open", "template", USE.content_sid),
        (WHATSAPP, "open", "both", "Hello Ada"),
        (WHATSAPP, "open", "both, the agent prefers the template", USE.content_sid),
        (WHATSAPP, "open", "neither", GREETING),
        (WHATSAPP, "closed", "text", None),
        (WHATSAPP, "closed", "template", USE.content_sid),
        (WHATSAPP, "closed", "both", USE.content_sid),
        (WHATSAPP, "closed", "neither", None),
        (WHATSAPP, "closed", "neither, the agent has a template", USE.content_sid),
        (WHATSAPP, "unknown", "text", None),
        (WHATSAPP, "unknown", "template", USE.content_sid),
        (WHATSAPP, "unknown", "both", USE.content_sid),
        (WHATSAPP, "unknown", "neither", None),
    ],
)
async def test_the_table_of_openings(
    world: World, channel: Channel, window: str, asked: str, opens_with: str | None
) -> None:
    if "prefers" in asked:
        await world.saves(FlowSpec(name="P", nodes=BOOKER.nodes, opening_preference=OpeningPreference.TEMPLATE))
    if "has a template" in asked:
        await world.saves(FlowSpec(name="P", nodes=BOOKER.nodes, opening_template=USE))
    if (age := HEARD[window]) is not None:
        await world.hears("hi", channel=channel)
        world.clock.at = NOON + age
    before = await world.counts()
    answer = await world.answers(
        channel=channel,
        text="Hello Ada" if asked.startswith(("text", "both")) else None,
        template=USE if asked.startswith(("template", "both")) else None,
    )
    if opens_with is None:
        assert isinstance(answer, Refusal)
        assert answer.code == "window_closed"
        assert await world.counts() == before
    else:
        assert isinstance(answer, Started)
        [line] = await world.lines(answer.conversation_id)
        assert getattr(line.body, "content_sid", line.text) == opens_with


async def test_an_agent_that_composes_its_opening_gets_a_turn_at_once(world: World) -> None:
    await world.saves(PromptSpec(name="P", instructions="Help.", greeting_mode="dynamic"))
    an_id = await world.starts(text=None)
    assert await world.lines(an_id) == []
    assert (await world.conversation(an_id)).turn_due_at == NOON


NEEDY = FlowSpec(
    name="Needy", variables={"name": Variable(required=True)}, nodes={"start": Node(say="Hi {name}", end="completed")}
)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"agent_id": "nobody"}, "agent_unknown", "agent_id"),
        ({"agent_id": "n" * 64}, "agent_unknown", "agent_id"),
        ({"from_number": BOB}, "sender_unknown", "from_number"),
        ({"from_number": "+15557770000", "channel": WHATSAPP}, "sender_cannot_channel", "channel"),
        ({"agent_id": "needy", "text": None}, "variable_missing", "custom_variables.name"),
        ({"agent_id": "needy", "text": None, "variables": {"name": ""}}, "variable_missing", "custom_variables.name"),
        ({"channel": WHATSAPP}, "window_closed", "initial_message"),
        ({"workspace_id": "another"}, "agent_unknown", "agent_id"),
        ({"to_number": BOB}, "recipient_opted_out", "to_number"),
    ],
)
async def test_a_refusal_says_why_and_leaves_nothing_behind(
    world: World, changes: dict[str, Any], code: str, field: str
) -> None:
    await world.saves(NEEDY, "needy")
    await add_sender(world, SMS, "+15557770000")
    await world.hears("stop", by=BOB)
    before = await world.counts()
    answer = await world.answers(**changes, idempotency_key="a key")
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.field) == (code, field)
    assert await world.counts() == before
    assert not isinstance(await world.answers(idempotency_key="a key"), Refusal)  # the key is still free


@pytest.mark.parametrize("on_active", OnActive)
@pytest.mark.parametrize("in_human_hands", [False, True])
async def test_a_live_conversation_gives_way_is_joined_or_stays(
    world: World, on_active: OnActive, in_human_hands: bool
) -> None:
    await world.saves(FlowSpec(name="A", nodes=BOOKER.nodes, on_active=on_active))
    first = await world.starts()
    if in_human_hands:
        await world.change("UPDATE conversation SET mode = 'human'")
    answer = await world.answers(text="Another thing")
    present = await world.conversation(first)
    if in_human_hands or on_active is OnActive.REJECT:
        assert isinstance(answer, Refusal)
        assert answer.code == "conversation_active"
        assert present.mode is (Mode.HUMAN if in_human_hands else Mode.BOT)
        assert await world.texts(first) == ["Hello Ada"]
    elif on_active is OnActive.JOIN:
        assert answer == Started(conversation_id=first)
        assert await world.texts(first) == ["Hello Ada", "Another thing"]
        await world.sends(2)
        assert world.twilio.said == ["Hello Ada", "Another thing"]
    else:
        assert isinstance(answer, Started)
        assert (present.mode, present.end_reason, present.epoch) == (Mode.ENDED, EndReason.SUPERSEDED, 1)
        second = await world.conversation(answer.conversation_id)
        assert second.previous_conversation_id == first


async def test_superseding_takes_back_what_waits_and_says_so(world: World) -> None:
    first = await world.starts(text="One. " * 700)
    assert await world.value("SELECT count(*) FROM outbox") == 3
    second = await world.starts(text="Two.")
    assert await world.column("SELECT conversation_id FROM outbox") == [second]
    assert {(line.status, line.reason) for line in await world.lines(first)} == {("failed", "cancelled")}
    assert len(await world.events("message.refused")) == 3
    assert [row[1] for row in await world.events("conversation.ended")] == [first]
    await world.sends(3)
    assert world.twilio.said == ["Two."]


async def test_the_new_conversation_follows_what_is_at_the_provider_already(world: World) -> None:
    """What was handed over cannot be taken back; the next message waits until its fate is known."""
    await world.starts(text="One.")
    await world.store.write(lambda tx: claim(tx, world))
    await world.starts(text="Two.")
    await world.sends(2)
    assert world.twilio.said == []


async def claim(tx: Any, world: World) -> None:
    [[_]] = await claim_deliveries(tx, [Claims(limit=10)], world.clock.now(), world.ids)


async def test_the_same_call_again_within_a_minute_is_the_same_conversation(world: World) -> None:
    first = await world.starts()
    world.clock.passes(seconds=59)
    assert await world.answers() == Started(conversation_id=first, replayed=True)
    assert await world.answers(text="Something else") != Started(conversation_id=first, replayed=True)


async def test_a_minute_later_or_after_a_word_of_the_contact_it_is_a_new_one(world: World) -> None:
    first = await world.starts()
    world.clock.passes(seconds=60)
    second = await world.starts()
    assert second != first
    world.clock.passes(seconds=1)
    await world.hears("Monday")
    assert await world.starts() not in (first, second)


async def test_a_key_brings_the_same_conversation_for_seven_days(world: World) -> None:
    first = await world.starts(idempotency_key="k")
    world.clock.passes(days=6, hours=23)
    await world.timers.look()
    assert await world.answers(idempotency_key="k") == Started(conversation_id=first, replayed=True)
    reused = await world.answers(idempotency_key="k", text="Other words")
    assert isinstance(reused, Refusal)
    assert reused.code == "idempotency_key_reused"
    world.clock.passes(hours=2)
    await world.timers.look()
    assert await world.starts(idempotency_key="k") != first


async def test_keys_belong_to_their_workspace(world: World) -> None:
    first = await world.starts(idempotency_key="k")
    other = await world.answers(idempotency_key="k", workspace_id="another")
    assert isinstance(other, Refusal)
    assert other.code == "agent_unknown"
    assert await world.answers(idempotency_key="k") == Started(conversation_id=first, replayed=True)


@pytest.mark.promise("P25")
async def test_a_thousand_concurrent_calls_with_one_key_make_one_conversation(world: World) -> None:
    starts: Batch[Start, Answer] = Batch(world.store, start_conversations, world.ids)
    asked = world.asks(idempotency_key="k")
    answers = await asyncio.gather(*(starts.submit(asked) for _ in range(1000)))
    assert all(isinstance(answer, Started) for answer in answers)
    assert len({answer.conversation_id for answer in answers if isinstance(answer, Started)}) == 1
    assert [answer.replayed for answer in answers if isinstance(answer, Started)].count(False) == 1
    counts = await world.counts()
    assert (counts["conversation"], counts["message"], counts["outbox"], counts["idempotency"]) == (1, 1, 1, 1)


async def test_calls_of_one_batch_see_one_anothers_effect(world: World) -> None:
    """Decided in order of arrival, as if each had come alone."""
    first, again, second, other = await world.starts_all(
        world.asks(), world.asks(), world.asks(text="New words"), world.asks(to_number=BOB)
    )
    assert isinstance(first, Started)
    assert isinstance(second, Started)
    assert isinstance(other, Started)
    assert again == Started(conversation_id=first.conversation_id, replayed=True)
    assert (await world.conversation(second.conversation_id)).previous_conversation_id == first.conversation_id
    assert len({first.conversation_id, second.conversation_id, other.conversation_id}) == 3
    assert len(await world.live()) == 2


async def test_a_long_text_leaves_in_parts_in_their_order(world: World) -> None:
    text = " ".join(f"This is sentence number {n}." for n in range(200))
    an_id = await world.starts(text=text)
    lines = await world.lines(an_id)
    assert [line.seq for line in lines] == [1, 2, 3, 4]
    assert " ".join(line.text for line in lines) == text
    await world.sends(4)
    assert world.twilio.said == [line.text for line in lines]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+5511987654321", "+551187654321"),
        ("+5215512345678", "+525512345678"),
        ("+5491123456789", "+541123456789"),
    ],
)
async def test_the_forms_of_a_number_are_one_contact(world: World, one: str, other: str) -> None:
    first = await world.starts(to_number=one)
    second = await world.starts(to_number=other, text="Again")
    assert (await world.conversation(first)).end_reason is EndReason.SUPERSEDED
    await world.hears("hello", by=other)
    assert await world.texts(second) == ["Again", "> hello"]
    await world.hears("stop", by=one)
    refused = await world.answers(to_number=other, text="And again")
    assert isinstance(refused, Refusal)
    assert refused.code == "recipient_opted_out"
    assert await world.value("SELECT count(*) FROM contact") == 1


async def test_we_write_to_the_form_that_last_wrote_to_us(world: World) -> None:
    await world.starts(to_number="+5511987654321")
    await world.sends()
    await world.hears("oi", by="+551187654321")
    await world.takes_turns()
    await world.sends()
    assert [post["To"] for post in world.twilio.posts] == ["+5511987654321", "+551187654321"]


async def test_consent_that_comes_with_a_call_is_kept_as_evidence(world: World) -> None:
    await world.starts(consent={"source": "web form", "text": "I agree", "at": "2026-01-01T00:00:00Z"})
    [row] = await world.rows("SELECT change, source, evidence FROM consent")
    assert (row[0], row[1]) == ("evidence", "api")
    assert "web form" in row[2]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, DryRun(verdict="open", opening="Hello Ada", kind="text", segments=1, encoding="gsm-7")),
        ({"text": None}, DryRun(verdict="open", opening=GREETING, kind="text", segments=1, encoding="gsm-7")),
        (
            {"text": "“Hi” – there…"},  # as it will leave
            DryRun(verdict="open", opening='"Hi" - there...', kind="text", segments=1, encoding="gsm-7"),
        ),
        (
            {"text": "a" * 1700},
            DryRun(verdict="open", opening="a" * 1600 + "\n" + "a" * 100, kind="text", segments=12, encoding="gsm-7"),
        ),
        (
            {"text": "Привет " * 20},
            DryRun(verdict="open", opening=("Привет " * 20).strip(), kind="text", segments=3, encoding="ucs-2"),
        ),
    ],
)
async def test_a_dry_run_tells_and_writes_nothing(world: World, changes: dict[str, Any], expected: DryRun) -> None:
    before = await world.counts()
    told = await world.store.read(lambda tx: dry_run(tx, world.asks(**changes), world.clock.now()))
    assert told == expected
    assert await world.counts() == before


async def test_a_dry_run_tells_refusals_replays_and_what_it_would_supersede(world: World) -> None:
    refused = await world.store.read(lambda tx: dry_run(tx, world.asks(agent_id="x"), world.clock.now()))
    assert isinstance(refused, Refusal)
    first = await world.starts()
    replay = await world.store.read(lambda tx: dry_run(tx, world.asks(), world.clock.now()))
    assert isinstance(replay, DryRun)
    assert replay.verdict == "replay"
    new = await world.store.read(lambda tx: dry_run(tx, world.asks(text="New"), world.clock.now()))
    assert isinstance(new, DryRun)
    assert (new.verdict, new.supersedes) == ("open", first)


@pytest.mark.parametrize("attempt", range(5))
async def test_two_processes_race_for_a_thread_and_one_conversation_lives(postgresql_url: str, attempt: int) -> None:
    calls = [[{"text": f"From process {n} call {k}"} for n in range(2)] for k in range(4)]
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as two:
        batches: list[Batch[Start, Answer]] = [Batch(w.store, start_conversations, w.ids) for w in (one, two)]
        answers = await asyncio.gather(
            *(batches[n].submit(one.asks(**call)) for group in calls for n, call in enumerate(group))
        )
        assert all(isinstance(answer, Started) for answer in answers)
        assert len(await one.live()) == 1
        assert await one.value("SELECT count(*) FROM contact") == 1
        assert await one.value("SELECT count(*) FROM thread") == 1
        assert await one.value("SELECT count(*) FROM conversation") == 8
        assert await one.value("SELECT count(*) FROM outbox") == 1


@pytest.mark.promise("P25")
@pytest.mark.parametrize("attempt", range(5))
async def test_two_processes_race_with_one_key_and_make_one_conversation(postgresql_url: str, attempt: int) -> None:
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as two:
        batches: list[Batch[Start, Answer]] = [Batch(w.store, start_conversations, w.ids) for w in (one, two)]
        asked = one.asks(idempotency_key="k")
        answers = await asyncio.gather(*(batches[n % 2].submit(asked) for n in range(40)))
        made = [answer.conversation_id for answer in answers if isinstance(answer, Started)]
        assert len(made) == 40
        assert len(set(made)) == 1
        assert await one.value("SELECT count(*) FROM conversation") == 1
        assert await one.value("SELECT count(*) FROM message") == 1
        late = await asyncio.gather(*(batch.submit(asked) for batch in batches))
        assert late == [Started(conversation_id=made[0], replayed=True)] * 2
