"""What an endpoint can do is found by asking it, and it is asked accordingly from then on."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from overture.adapters.llm.openai_compatible import ModelEndpoint, OpenAICompatible
from overture.adapters.llm.probe import probe
from overture.domain.model_check import Ability, Checked, Found, Quirks
from tests.adapters.test_openai_compatible import BOOK, asking

Body = dict[str, Any]
CALL = {"id": "c1", "type": "function", "function": {"name": "opening_hours", "arguments": '{"day": "Monday"}'}}
USAGE = {"usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}}


def says(message: Body, **more: Any) -> Body:
    told = {"role": "assistant", **message}
    choice = {"index": 0, "finish_reason": "stop", "message": told}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m-1", "choices": [choice], **more}


def able(asked: Body) -> Body | str:
    """An endpoint that can do everything."""
    if "response_format" in asked:
        return says({"content": '{"ready": true}'}, **USAGE)
    if asked.get("tools") and asked.get("tool_choice") != "none" and asked["messages"][-1]["role"] != "tool":
        return says({"content": None, "tool_calls": [CALL]}, **USAGE)
    return says({"content": "ready"}, **USAGE)


def refusing(key: str, told: str) -> Callable[[Body], Body | str]:
    """As `able`, but for requests with a key."""
    return lambda asked: told if key in asked else able(asked)


def without_system(asked: Body) -> Body | str:
    return "no system role" if asked["messages"][0]["role"] == "system" else able(asked)


def unforbidding(asked: Body) -> Body | str:
    return "tool_choice" if asked.get("tool_choice") == "none" else able(asked)


def thinking(asked: Body) -> Body | str:
    found = able(asked)
    return says({"content": "<think>well</think>ready"}) if "tools" not in asked else found


@contextlib.asynccontextmanager
async def endpoint(answer: Callable[[Body], Body | str]) -> AsyncIterator[tuple[ModelEndpoint, list[Body]]]:
    """An endpoint that answers so (a text being a refusal with 400), and what it was asked."""
    asked: list[Body] = []

    async def respond(request: web.Request) -> web.Response:
        asked.append(await request.json())
        told = answer(asked[-1])
        return web.json_response({"error": {"message": told}} if isinstance(told, str) else told,
                                 status=400 if isinstance(told, str) else 200)  # fmt: skip

    app = web.Application()
    app.router.add_post("/v1/chat/completions", respond)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield ModelEndpoint(name="main", base_url=url, model="m", api_key="sk-hush"), asked
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("answer", "quirks"),
    [
        (able, Quirks()),
        (refusing("max_tokens", "use max_completion_tokens"), Quirks(max_tokens_field="max_completion_tokens")),
        (refusing("temperature", "temperature is unsupported"), Quirks(takes_temperature=False)),
        (without_system, Quirks(takes_system=False)),
        (unforbidding, Quirks(takes_tool_choice=False)),
        (refusing("tools", "tools are not supported"), Quirks(calls_tools=False)),
        (thinking, Quirks(thinks_aloud=True)),
    ],
)
async def test_a_quirk_is_found_and_heeded(answer: Callable[[Body], Body | str], quirks: Quirks) -> None:
    async with endpoint(answer) as (at, asked):
        found = await probe(at)
        assert found.chats
        assert found.quirks == quirks
        model = OpenAICompatible([at])
        now = datetime(2026, 1, 1, tzinfo=UTC)
        model.adopt([Checked(base_url=at.base_url, model=at.model, found=found, checked_at=now)])
        asked.clear()
        try:
            answered = await model.complete(asking("hello", temperature=0.5, tools=(BOOK,)), timeout_seconds=10)
        finally:
            await model.aclose()
    assert answered.text or answered.calls
    assert "<think>" not in answered.text
    assert len(asked) == 1, "nothing it refuses was asked"
    assert "sk-hush" not in repr(found)


def works(found: Found) -> dict[Ability, bool | None]:
    return {one.ability: one.works for one in found.tried}


async def test_an_able_endpoint_can_do_everything() -> None:
    async with endpoint(able) as (at, _):
        assert works(await probe(at)) == dict.fromkeys(Ability, True)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "opening_hours(Monday)"},
        {"content": None, "tool_calls": [{**CALL, "function": {"name": "opening_hours", "arguments": "{no"}}]},
        {"content": "", "tool_calls": [5]},
    ],
)
async def test_a_bad_call_is_no_call(message: Body) -> None:
    def answer(asked: Body) -> Body:
        return says(message if "tools" in asked else {"content": "ready"})

    async with endpoint(answer) as (at, _):
        found = works(await probe(at))
    assert (found[Ability.CHAT], found[Ability.USAGE], found[Ability.TOOL_CALL]) == (True, False, False)
    assert found[Ability.TOOL_ROUND] is None


@pytest.mark.parametrize("told", [says({"content": ""}), {"choices": 5}, {}, "no"])
async def test_an_endpoint_without_a_word_is_of_no_use(told: Body | str) -> None:
    async with endpoint(lambda _: told) as (at, _asked):
        found = await probe(at)
    assert not found.chats
    assert [one.ability for one in found.tried] == [Ability.CHAT]
    assert found.tried[0].hint
