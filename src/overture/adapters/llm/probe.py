"""Find out what an endpoint can do, by asking it as agents will: a handful of short requests over the bare wire.

The library that agents' requests go through would hide what an endpoint refuses and why, so it has no part in this.
"""

import asyncio
import json
from typing import Any, Final

import aiohttp
from msgspec.structs import replace

from overture.adapters.llm.openai_compatible import ModelEndpoint
from overture.domain.model_check import Ability, Found, Quirks, Tried

_SECONDS: Final = 20.0  # of one request, as a turn gives
_MOST_BYTES: Final = 1024 * 1024
_MOST_TOKENS: Final = 400  # an agent's usual limit; a model that thinks needs some before it speaks
_REFUSED: Final = frozenset({400, 404, 405, 415, 422, 500, 501})  # what servers answer to what they do not know
_FORCED: Final = {"type": "function", "function": {"name": "opening_hours"}}
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "opening_hours",
        "description": "The opening hours of a day.",
        "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
    },
}
_SCHEMA: Final = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"ready": {"type": "boolean"}},
            "required": ["ready"],
            "additionalProperties": False,
        },
    },
}
_ASKED: Final = "Use your tool: when do you open on Monday?"
_CANNOT_CALL: Final = (
    "Agents with tools cannot use it. vLLM wants --enable-auto-tool-choice and --tool-call-parser, llama.cpp --jinja; "
    "of small models many cannot call tools at all."
)
_ADVICE: Final = {
    401: "Check its API key.",
    403: "Check what its API key may do.",
    404: "Check its address, which mostly ends in /v1, and the model's name.",
    429: "It wants a pause, or the account has no credit left. Check again later.",
}

Message = dict[str, Any]


class _Refused(Exception):
    """The endpoint gave no answer; `status` is 0 where nothing came that could be read."""

    def __init__(self, why: str, *, status: int = 0, told: str = "") -> None:
        super().__init__(why)
        self.status: Final = status
        self.told: Final = told.lower()


async def probe(endpoint: ModelEndpoint) -> Found:
    """What the endpoint can do. Nothing is raised: what goes wrong is what was found."""
    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session:
        return await _Probe(endpoint, session).run()


class _Probe:
    """One check: what was learnt is used by the requests that follow."""

    def __init__(self, endpoint: ModelEndpoint, session: aiohttp.ClientSession) -> None:
        self._endpoint: Final = endpoint
        self._session: Final = session
        self._quirks = Quirks()
        self._tried: Final[list[Tried]] = []
        self._answered_as = ""

    async def run(self) -> Found:
        """Everything in turn; without a chat there is nothing else to try."""
        if await self._try_chat():
            call = await self._try_call()
            await self._try_forced(can_call=call is not None)
            await self._try_round(call)
            await self._try_schema()
        return Found(quirks=self._quirks, tried=tuple(self._tried), answered_as=self._answered_as)

    def _note(self, ability: Ability, why: str, hint: str | None = None, *, works: bool | None) -> None:
        self._tried.append(Tried(ability=ability, works=works, why=why, hint=hint))

    async def _try_chat(self) -> bool:
        try:
            whole = await self._learn_to_ask()
        except _Refused as refused:
            hint = _ADVICE.get(refused.status, "Is it running, and is its address right?")
            self._note(Ability.CHAT, works=False, why=str(refused), hint=hint)
            return False
        text = _text(whole)
        spoken = text.rpartition("</think>")[2].strip()
        self._quirks = replace(self._quirks, thinks_aloud=text.lstrip().startswith("<think>") or "</think>" in text)
        self._answered_as = str(whole.get("model") or "")[:200]
        if not spoken or spoken.startswith("<think>"):
            hint = "A model that thinks needs a higher max_output_tokens, or thinking switched off."
            self._note(
                Ability.CHAT, works=False, why=f"It answered without a word, within {_MOST_TOKENS} tokens.", hint=hint
            )
            return False
        if not self._answered_as:
            hint = "A completion of OpenAI's has a field `model`; without it no conversation can read an answer."
            self._note(Ability.CHAT, works=False, why="It answers without saying which model it is.", hint=hint)
            return False
        self._note(Ability.CHAT, works=True, why="It answers.")
        if _counts(whole):
            self._note(Ability.USAGE, works=True, why="It says how many tokens were used.")
        else:
            hint = "They are estimated from the length of the texts."
            self._note(Ability.USAGE, works=False, why="It does not say how many tokens were used.", hint=hint)
        return True

    async def _learn_to_ask(self) -> Message:
        """A first answer, found by leaving out what the endpoint refuses. Raises _Refused."""
        tries = 6
        while True:
            try:
                return await self._ask([{"role": "user", "content": "Say in one word that you are ready."}])
            except _Refused as refused:
                tries -= 1
                other = self._other_way(refused)
                if other is None or not tries:
                    raise
                self._quirks = other

    def _other_way(self, refused: _Refused) -> Quirks | None:
        """Another way to ask that the words of a refusal suggest."""
        quirks, told = self._quirks, refused.told
        if refused.status not in (400, 422):
            return None
        field = quirks.max_tokens_field or self._endpoint.max_tokens_field
        if ("max_tokens" in told or "max_completion_tokens" in told) and quirks.max_tokens_field is None:
            other = "max_tokens" if field == "max_completion_tokens" else "max_completion_tokens"
            return replace(quirks, max_tokens_field=other)
        if "temperature" in told and quirks.takes_temperature:
            return replace(quirks, takes_temperature=False)
        if ("system" in told or "alternate" in told or "role" in told) and quirks.takes_system:
            return replace(quirks, takes_system=False)
        return None

    async def _try_call(self) -> Message | None:
        """The message in which the model calls the tool, if it does."""
        try:
            whole = await self._ask([{"role": "user", "content": _ASKED}], tools=[_TOOL])
        except _Refused as refused:
            if refused.status in _REFUSED:
                self._quirks = replace(self._quirks, calls_tools=False)
            self._note(
                Ability.TOOL_CALL,
                works=False,
                why=f"It does not take a request with tools: {refused}",
                hint=_CANNOT_CALL,
            )
            return None
        message = _message(whole)
        wrong = _find_wrong_call(message)
        if wrong is None:
            self._note(Ability.TOOL_CALL, works=True, why="It calls a tool it is offered.")
            return message
        self._note(Ability.TOOL_CALL, works=False, why=wrong, hint=_CANNOT_CALL)
        self._quirks = replace(self._quirks, calls_tools=False)
        return None

    async def _try_forced(self, *, can_call: bool) -> None:
        if not self._quirks.calls_tools and not can_call:
            self._note(Ability.FORCED_TOOL, works=None, why="Not tried, since it calls no tools.")
            return
        hint = "Agents do not depend on it."
        try:
            whole = await self._ask([{"role": "user", "content": "Hello."}], tools=[_TOOL], tool_choice=_FORCED)
        except _Refused as refused:
            self._note(Ability.FORCED_TOOL, works=False, why=f"A tool cannot be forced: {refused}", hint=hint)
            return
        wrong = _find_wrong_call(_message(whole))
        if wrong is None:
            self._note(Ability.FORCED_TOOL, works=True, why="It calls the tool it must call.")
        else:
            self._note(Ability.FORCED_TOOL, works=False, why="It was told to call a tool and did not.", hint=hint)

    async def _try_round(self, call: Message | None) -> None:
        """Whether it answers from what a tool gave, and can be told to call nothing more."""
        if call is None:
            self._note(Ability.TOOL_ROUND, works=None, why="Not tried, since it called no tool.")
            return
        calls = call["tool_calls"]
        spoken = [{"role": "user", "content": _ASKED}, {"role": "assistant", "content": None, "tool_calls": calls}]
        spoken += [{"role": "tool", "tool_call_id": one["id"], "content": '{"opens": "09:00"}'} for one in calls]
        try:
            try:
                whole = await self._ask(spoken, tools=[_TOOL], tool_choice="none")
            except _Refused as refused:
                if refused.status not in _REFUSED:
                    raise
                self._quirks = replace(self._quirks, takes_tool_choice=False)
                whole = await self._ask(spoken, tools=[_TOOL])
        except _Refused as refused:
            hint = "Agents with tools will say their fallback with it."
            self._note(Ability.TOOL_ROUND, works=False, why=f"It does not take what a tool gave: {refused}", hint=hint)
            return
        if _text(whole).strip():
            self._note(Ability.TOOL_ROUND, works=True, why="It answers from what a tool gave.")
        else:
            hint = "Agents with tools may say their fallback with it."
            self._note(Ability.TOOL_ROUND, works=False, why="It has nothing to say to what a tool gave.", hint=hint)

    async def _try_schema(self) -> None:
        hint = "Agents do not depend on it."
        try:
            whole = await self._ask([{"role": "user", "content": "Are you ready?"}], response_format=_SCHEMA)
        except _Refused as refused:
            self._note(Ability.SCHEMA, works=False, why=f"It does not take a schema: {refused}", hint=hint)
            return
        try:
            fits = isinstance(json.loads(_text(whole).rpartition("</think>")[2]).get("ready"), bool)
        except (ValueError, AttributeError, RecursionError):
            fits = False
        if fits:
            self._note(Ability.SCHEMA, works=True, why="It answers in the form of a schema.")
        else:
            self._note(
                Ability.SCHEMA, works=False, why="It was given a schema and answered in another form.", hint=hint
            )

    async def _ask(self, spoken: list[Message], **more: Any) -> Message:
        """The whole answer to a request. Raises _Refused."""
        quirks, endpoint = self._quirks, self._endpoint
        asked: Message = {"model": endpoint.model, "messages": _with_system(spoken, takes=quirks.takes_system), **more}
        asked[quirks.max_tokens_field or endpoint.max_tokens_field] = _MOST_TOKENS
        if quirks.takes_temperature:
            asked["temperature"] = 0
        try:
            url = endpoint.base_url.rstrip("/") + "/chat/completions"
            async with self._session.post(url, json=asked, allow_redirects=False) as answer:
                raw = await _read(answer.content)
                status = answer.status
        except TimeoutError as late:
            raise _Refused(f"it did not answer within {_SECONDS:g} seconds.") from late
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise _Refused(f"it cannot be reached, or its answer not be read ({type(error).__name__}).") from error
        if status != 200:
            raise _Refused(f"it answered {status}.", status=status, told=raw.decode(errors="replace"))
        try:
            whole = json.loads(raw)
        except (ValueError, RecursionError) as wrong:
            raise _Refused("its answer is no JSON.") from wrong
        if not isinstance(whole, dict) or not _message(whole):
            raise _Refused("its answer is no completion.")
        return whole


async def _read(stream: aiohttp.StreamReader) -> bytes:
    """The body, which a hostile one must not fill the memory with. Raises ValueError where it is too long."""
    raw = bytearray()
    async for piece in stream.iter_chunked(65_536):
        raw += piece
        if len(raw) > _MOST_BYTES:
            raise ValueError("too long")
    return bytes(raw)


def _with_system(spoken: list[Message], *, takes: bool) -> list[Message]:
    told = "You answer for a small shop, briefly."
    if takes:
        return [{"role": "system", "content": told}, *spoken]
    first, *rest = spoken
    return [{**first, "content": f"{told}\n\n{first['content']}"}, *rest]


def _message(whole: Message) -> Message:
    """The answer's message; empty where it has none."""
    choices = whole.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    return message if isinstance(message, dict) else {}


def _text(whole: Message) -> str:
    content = _message(whole).get("content")
    return content if isinstance(content, str) else ""


def _counts(whole: Message) -> bool:
    usage = whole.get("usage")
    return isinstance(usage, dict) and all(
        isinstance(usage.get(name), int) and usage[name] > 0 for name in ("prompt_tokens", "completion_tokens")
    )


def _find_wrong_call(message: Message) -> str | None:
    """What is wrong with the call of the tool; None where nothing is."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or not calls:
        as_text = "opening_hours" in str(message.get("content"))
        return "It writes the call of a tool as text." if as_text else "It was offered a tool and did not call it."
    for one in calls:
        function = one.get("function") if isinstance(one, dict) else None
        if not isinstance(function, dict) or function.get("name") != "opening_hours" or not one.get("id"):
            return "It calls a tool that it was not offered, or in another form."
        try:
            arguments = json.loads(function.get("arguments") or "")
        except (ValueError, TypeError, RecursionError):
            return "It calls the tool with arguments that are no JSON."
        if not isinstance(arguments, dict):
            return "It calls the tool with arguments that are no object."
    return None
