"""Whatever a model's endpoint does, the contact reads a right reply or the agent's fallback, and a person is told."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from overture.adapters.llm.openai_compatible import ModelEndpoint, OpenAICompatible
from overture.domain.agent import PromptSpec
from overture.domain.conversation import Mode
from tests.adapters.wire import Answer, drip, http, peer, reset, silence, truncated
from tests.world import a_world

SPEC: Final = PromptSpec(name="Helper", instructions="Help.", fallback="We will write to you.")
GOOD: Final = "At nine."


def completion(content: Any = GOOD, **more: Any) -> Answer:
    message = {"role": "assistant", "content": content} | more
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "unknown": {"field": [1]}}
    whole["choices"] = [{"index": 0, "finish_reason": "stop", "message": message, "more": None}]
    return http(200, json.dumps(whole), Content_Type="application/json")


CALL: Final = {"id": "c", "type": "function", "function": {"name": "book", "arguments": "{no json"}}


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([completion()], GOOD),
        ([http(429, "{}", Retry_After="0"), completion()], GOOD),
        ([http(500, "oops"), completion()], GOOD),
        ([reset, completion()], GOOD),
        ([truncated(200, b'{"id": "1", "cho'), completion()], GOOD),
        ([completion(""), completion()], GOOD),
        ([completion(None, tool_calls=[CALL]), completion()], GOOD),
        ([http(200, "<html>", Content_Type="text/html"), completion()], GOOD),
        ([completion("x" * 5_000_000), completion()], GOOD),
        ([silence, completion()], GOOD),
        ([drip, completion()], GOOD),
        ([http(429, "{}", Retry_After="3600")], SPEC.fallback),
        ([http(401, "{}")], SPEC.fallback),
        ([http(200, "<html>", Content_Type="text/html")] * 3, SPEC.fallback),
    ],
    ids=[
        *("unknown fields and no usage", "429 then good", "500 then good", "reset then good", "cut off then good"),
        *(
            "empty then good",
            "bad call then good",
            "HTML then good",
            "5 MB then good",
            "silence then good",
            "drip then good",
        ),
        *("429 for an hour", "a wrong key", "HTML for ever"),
    ],
)
async def test_a_bad_day_of_the_model_ends_in_a_reply_or_in_the_fallback(
    tmp_path: Path, answers: list[Answer], says: str
) -> None:
    async with peer(*answers) as server:
        model = OpenAICompatible([ModelEndpoint(name="m", base_url=server.url, model="m", timeout_seconds=0.3)])
        try:
            async with a_world(f"sqlite:///{tmp_path}/o.db", model=model) as world:
                await world.saves(SPEC)
                an_id = await world.starts()
                await world.hears("When do you open?")
                await world.takes_turns()
                assert (await world.texts(an_id))[2:] == [says]
                mode = (await world.conversation(an_id)).mode
                assert mode is (Mode.BOT if says == GOOD else Mode.HUMAN)
        finally:
            await model.aclose()
