"""Tools that a model calls: what breaks a declaration is told back, and there is an end to calling."""

import json

import pytest

from overture.domain.conversation import Mode
from overture.domain.turn import ModelAnswered, ToolCall
from tests.adapters.wire import http
from tests.turns.test_tools import BOOKED, FREE, PROMPT, Model, booking, wants


async def test_a_model_that_repeats_a_change_gets_the_first_answer_again(database_url: str) -> None:
    model = Model(wants(), wants(), wants(arguments='{ "day":"Monday" }'), "Booked: A17.")
    async with booking(database_url, BOOKED, BOOKED, BOOKED, text=PROMPT, model=model) as (world, server, _):
        await world.hears("Monday please")
        await world.takes_turns()
        assert len(server.requests) == 1
        assert model.told[0] == model.told[1] == model.told[2] == {"ok": True, "status": 201, "answer": {"ref": "A17"}}


async def test_another_wish_is_another_call(database_url: str) -> None:
    model = Model(wants(), wants(arguments='{"day": "Tuesday"}'), "Both are booked.")
    async with booking(database_url, BOOKED, BOOKED, text=PROMPT, model=model) as (world, server, _):
        await world.hears("Monday and Tuesday please")
        await world.takes_turns()
        keys = {headers["idempotency-key"] for _, headers, _ in server.requests}
        assert len(keys) == 2


async def test_a_look_that_failed_may_be_made_again_in_the_same_turn(database_url: str) -> None:
    model = Model(wants("look", ""), wants("look", "{}"), "There is room.")
    async with booking(database_url, http(500, ""), FREE, text=PROMPT, model=model) as (world, server, _):
        await world.hears("Is there room?")
        await world.takes_turns()
        assert len(server.requests) == 2
        assert [told["ok"] for told in model.told] == [False, True]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (wants("book", "{no json"), "no JSON"),
        (wants("book", '{"day": 5}'), "must be of type string"),
        (wants("book", "{}"), "'day' is missing"),
        (wants("book", '{"day": "x", "phone": "+19990000000"}'), "no parameter 'phone'"),
        (wants("rob_bank", "{}"), "no tool 'rob_bank'"),
        (wants("end_conversation", '{"reason": "I feel like it"}'), "must be one of"),
        (wants("note_people", "{}"), "must be of type string"),
    ],
)
async def test_a_call_that_breaks_its_declaration_is_told_back_and_never_made(
    database_url: str, call: ModelAnswered, told: str
) -> None:
    model = Model(call, "Sorry, once more: which day?")
    async with booking(database_url, BOOKED, text=PROMPT, model=model) as (world, server, an_id):
        await world.hears("Monday please")
        await world.takes_turns()
        assert server.requests == []
        assert told in model.told[0]["error"]
        assert (await world.texts(an_id))[-1] == "Sorry, once more: which day?"


async def test_a_turn_calls_six_tools_and_asks_eight_times_at_most(database_url: str) -> None:
    model = Model(*(wants(arguments=json.dumps({"day": f"day {n}"})) for n in range(12)))
    async with booking(database_url, *[BOOKED] * 12, text=PROMPT, model=model) as (world, server, an_id):
        await world.hears("Every day please")
        await world.takes_turns()
        assert len(server.requests) == 6
        assert len(model.asked) == 8
        assert [request.may_call for request in model.asked] == [True] * 6 + [False] * 2
        assert (await world.texts(an_id))[-1].startswith("Sorry, something went wrong")
        assert (await world.conversation(an_id)).mode is Mode.HUMAN


async def test_one_answer_with_many_calls_counts_each_of_them(database_url: str) -> None:
    calls = tuple(ToolCall(id=str(n), name="book", arguments=f'{{"day": "{n}"}}') for n in range(9))
    model = Model(ModelAnswered(text="", calls=calls), "Six are booked.")
    async with booking(database_url, *[BOOKED] * 9, text=PROMPT, model=model) as (world, server, _):
        await world.hears("Nine days please")
        await world.takes_turns()
        assert len(server.requests) == 6
        assert len(model.told) == 9
        assert "No more calls" in model.told[8]["error"]


async def test_tools_never_send_text_and_what_they_end_ends_with_words(database_url: str) -> None:
    model = Model(
        wants(text="Let me see ..."),
        wants("end_conversation", '{"reason": "It is booked."}'),
        "Booked. See you on Monday!",
    )
    async with booking(database_url, BOOKED, text=PROMPT, model=model) as (world, _, an_id):
        await world.hears("Monday please")
        await world.takes_turns()
        assert (await world.texts(an_id))[2:] == ["Booked. See you on Monday!"]
        conversation = await world.conversation(an_id)
        assert (conversation.mode, conversation.mode_note) == (Mode.ENDED, "it is booked")


async def test_a_model_hands_over_by_a_tool_with_the_words_of_the_same_answer(database_url: str) -> None:
    model = Model(wants("hand_over", '{"note": "wants a refund"}', text="A colleague takes over."))
    async with booking(database_url, text=PROMPT, model=model) as (world, _, an_id):
        await world.hears("My money!")
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "A colleague takes over."
        conversation = await world.conversation(an_id)
        assert (conversation.mode, conversation.mode_note) == (Mode.HUMAN, "wants a refund")


async def test_what_tools_saved_is_known_to_later_turns(database_url: str) -> None:
    model = Model(wants(), wants("note_people", '{"value": "four"}'), "Booked.", "For four, under A17.")
    async with booking(database_url, BOOKED, text=PROMPT, model=model) as (world, _, _an_id):
        await world.hears("Monday for four")
        await world.takes_turns()
        await world.hears("What did I book?")
        await world.takes_turns()
        assert '{"reference":"A17","people":"four"}' in model.asked[-1].lines[-1].text
        assert "A17" not in model.asked[-1].instructions


async def test_an_agent_without_tools_is_asked_as_before_and_reads_no_journal(database_url: str) -> None:
    model = Model("We open at nine.")
    plain = "kind: prompt\nname: P\ninstructions: Help.\ngreeting: Hi!\n"
    async with booking(database_url, text=plain, model=model) as (world, _, _an_id):
        await world.hears("When?")
        await world.takes_turns()
        [request] = model.asked
        assert (request.tools, request.rounds) == ((), ())
        assert "tool" not in request.instructions
        [row] = await world.rows("SELECT digest, to_seq, turn_began_at FROM step")
        assert tuple(row) == (None, None, None)
