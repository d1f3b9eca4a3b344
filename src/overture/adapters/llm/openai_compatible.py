"""Language models behind any endpoint that speaks OpenAI's chat completions.

pydantic-ai writes and reads the wire (`direct.model_request`, nothing else of it); the loop, the retries and the
memory are ours. It is imported with the first request: a server whose agents are all flows needs neither the package
nor the seconds that its import takes.
"""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal, Never

from msgspec import Struct

from overture.domain.errors import Failure, Misconfigured, Permanent, Transient
from overture.domain.model_check import PLAIN, Checked, Quirks
from overture.domain.turn import ModelAnswered, ModelRequest, Round, ToolCall

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.models.openai import OpenAIChatModel

_MOST_CALLS: Final = 20  # that are read of one answer; a turn makes six
_AGAIN: Final = frozenset({408, 409, 425, 429})
"""Refusals of the moment, as OpenAI's own client has them; with 5xx worth another try."""


class ModelEndpoint(Struct, frozen=True, kw_only=True):
    """A model and where it is asked.

    `max_tokens_field` is how the endpoint calls the limit of an answer's length: newer OpenAI models know only
    `max_completion_tokens`, most other servers only `max_tokens`. `timeout_seconds` bounds a request however much
    time its turn still has.
    """

    name: str
    base_url: str
    model: str
    api_key: str = ""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    timeout_seconds: float = 20.0

    def __repr__(self) -> str:
        return f"ModelEndpoint(name={self.name!r}, base_url={self.base_url!r}, model={self.model!r})"


class OpenAICompatible:
    """A ModelClient over endpoints of the settings, the first of which is the default."""

    def __init__(self, endpoints: Sequence[ModelEndpoint]) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._models: dict[tuple[str, str], OpenAIChatModel] = {}
        self._quirks: dict[tuple[str, str], Quirks] = {}

    def adopt(self, checks: Sequence[Checked]) -> None:
        """Ask endpoints from now on as checks of them found it right."""
        self._quirks = {(one.base_url, one.model): one.found.quirks for one in checks}

    def _quirks_of(self, endpoint: ModelEndpoint) -> Quirks:
        return self._quirks.get((endpoint.base_url, endpoint.model), PLAIN)

    def endpoints(self) -> Sequence[str]:
        """The names that a request may use, the default one first; empty where no model is set up."""
        return tuple(self._endpoints)

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """One answer. Raises Transient, Permanent or Misconfigured; never retries inside."""
        endpoint = self._endpoint(request.endpoint)
        if not self._models:
            await asyncio.to_thread(
                _import_library
            )  # it takes seconds, which neither the loop nor the model shall lose
        try:
            async with asyncio.timeout(min(timeout_seconds, endpoint.timeout_seconds)):
                response = await self._ask(endpoint, request)
        except Failure:
            raise
        except TimeoutError as error:
            raise Transient("model_timeout", "The model did not answer in time.") from error
        except Exception as error:  # noqa: BLE001 - a foreign library's failures are open-ended; each gets a verdict
            _give_verdict(endpoint, error)
        text = _spoken(response.text or "")
        may_call = request.may_call or self._quirks_of(endpoint).takes_tool_choice
        calls = _calls(response) if request.tools and may_call else ()
        if not text and not calls:
            raise Transient("model_empty", "The model's answer was empty.")
        return ModelAnswered(
            text=text,
            calls=calls,
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
            model=response.model_name or endpoint.model,
        )

    async def aclose(self) -> None:
        """Close the connections to all endpoints."""
        models, self._models = self._models, {}
        for model in models.values():
            await model.client.close()

    def _endpoint(self, name: str | None) -> ModelEndpoint:
        if not self._endpoints:
            raise Misconfigured("model_missing", "No model is set up.", hint="Set a model endpoint in the settings.")
        endpoint = next(iter(self._endpoints.values())) if name is None else self._endpoints.get(name)
        if endpoint is None:
            known = ", ".join(self._endpoints)
            raise Misconfigured("model_unknown", f"There is no model endpoint {name!r}.", hint=f"There are: {known}.")
        return endpoint

    async def _ask(self, endpoint: ModelEndpoint, request: ModelRequest) -> "ModelResponse":
        from pydantic_ai import direct, messages, settings

        spoken: list[messages.ModelMessage] = []
        for line in request.lines:
            if line.role == "user":
                spoken.append(messages.ModelRequest(parts=[messages.UserPromptPart(content=line.text)]))
            else:
                spoken.append(messages.ModelResponse(parts=[messages.TextPart(content=line.text)]))
        quirks = self._quirks_of(endpoint)
        wanted = settings.ModelSettings(max_tokens=request.max_output_tokens)
        if request.temperature is not None and quirks.takes_temperature:
            wanted["temperature"] = request.temperature
        for one in request.rounds:
            spoken += _round(one)
        tools = request.tools and (quirks.calls_tools or request.rounds)
        if tools and not request.may_call and quirks.takes_tool_choice:
            wanted["tool_choice"] = "none"
        return await direct.model_request(
            self._model(endpoint, quirks),
            _instructed(request.instructions, spoken, takes_system=quirks.takes_system),
            model_settings=wanted,
            model_request_parameters=_offered(request) if tools else None,
        )

    def _model(self, endpoint: ModelEndpoint, quirks: Quirks) -> "OpenAIChatModel":
        field = quirks.max_tokens_field or endpoint.max_tokens_field
        model = self._models.get((endpoint.name, field))
        if model is None:
            from openai import AsyncOpenAI, DefaultAsyncHttpxClient
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.profiles.openai import OpenAIModelProfile
            from pydantic_ai.providers.openai import OpenAIProvider

            from overture.adapters.llm.bounded import BoundedTransport

            client = AsyncOpenAI(
                base_url=endpoint.base_url,
                api_key=endpoint.api_key or "none",  # local servers want no key, but the client wants one
                max_retries=0,
                timeout=endpoint.timeout_seconds,
                http_client=DefaultAsyncHttpxClient(transport=BoundedTransport()),
            )
            profile = OpenAIModelProfile(openai_chat_supports_max_completion_tokens=field == "max_completion_tokens")
            model = OpenAIChatModel(endpoint.model, provider=OpenAIProvider(openai_client=client), profile=profile)
            self._models[endpoint.name, field] = model
        return model


def _instructed(instructions: str, spoken: "list[ModelMessage]", *, takes_system: bool) -> "list[ModelMessage]":
    """What is said, after the instructions; before the first line of the contact where there is no other way."""
    from pydantic_ai import messages

    if takes_system:
        return [messages.ModelRequest(parts=[messages.SystemPromptPart(content=instructions)]), *spoken]
    first, rest = (spoken[0], spoken[1:]) if spoken else (None, [])
    if isinstance(first, messages.ModelRequest) and isinstance(first.parts[0], messages.UserPromptPart):
        instructions = f"{instructions}\n\n{first.parts[0].content}"
    elif first is not None:
        rest = spoken
    return [messages.ModelRequest(parts=[messages.UserPromptPart(content=instructions)]), *rest]


def _spoken(text: str) -> str:
    """A text without thoughts: the library takes out whole ones, not those that lack their beginning or their end."""
    spoken = text.rpartition("</think>")[2]
    return spoken.partition("<think>")[0].strip()


def _offered(request: ModelRequest) -> "ModelRequestParameters":
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

    return ModelRequestParameters(
        function_tools=[
            ToolDefinition(
                name=tool.name, description=tool.description or None, parameters_json_schema=tool.schema, strict=False
            )
            for tool in request.tools
        ]
    )


def _round(one: Round) -> "list[ModelMessage]":
    """What the model wanted to have called, and what each call gave."""
    from pydantic_ai import messages

    wanted: list[messages.ModelResponsePart] = [messages.TextPart(content=one.text)] if one.text else []
    wanted += [
        messages.ToolCallPart(tool_name=call.name, args=call.arguments, tool_call_id=call.id) for call in one.calls
    ]
    gave = [
        messages.ToolReturnPart(tool_name=call.name, content=result, tool_call_id=call.id)
        for call, result in zip(one.calls, one.results, strict=True)
    ]
    return [messages.ModelResponse(parts=wanted), messages.ModelRequest(parts=gave)]


def _calls(response: "ModelResponse") -> tuple[ToolCall, ...]:
    """The calls of an answer; arguments stay as the model wrote them, which may be no JSON."""
    from pydantic_ai.messages import ToolCallPart

    parts = [part for part in response.parts if isinstance(part, ToolCallPart)]
    return tuple(
        ToolCall(
            id=part.tool_call_id,
            name=part.tool_name,
            arguments=part.args if isinstance(part.args, str) else part.args_as_json_str(),
        )
        for part in parts[:_MOST_CALLS]
    )


def _import_library() -> None:
    """Import the library that speaks to models. Raises Misconfigured where it is not installed."""
    try:
        for module in ("pydantic_ai.direct", "pydantic_ai.models.openai"):
            import_module(module)
    except ImportError as error:
        raise Misconfigured(
            "model_library_missing",
            "The library that speaks to models is not installed.",
            hint="Install it: pip install overture[model]",
        ) from error


def _give_verdict(endpoint: ModelEndpoint, error: Exception) -> Never:
    """Raise what a failure of the library means."""
    from pydantic_ai import exceptions

    if not isinstance(error, exceptions.ModelHTTPError):
        # no connection, a stream cut off, an answer that is no JSON or no completion: all are of the moment
        raise Transient("model_unreadable", "The model could not be reached or its answer not be read.") from error
    status = error.status_code
    if status in _AGAIN or status >= 500 or status < 400:
        raise Transient(
            f"model_http_{status}", f"The model's endpoint answered {status}.", retry_after_seconds=error.retry_after
        ) from error
    if status in (401, 403, 404):
        advice = {
            401: "Check its API key.",
            403: "Check what its API key may do.",
            404: f"Check its address and the model's name, {endpoint.model!r}.",
        }
        raise Misconfigured(
            f"model_http_{status}", f"The model endpoint {endpoint.name!r} answered {status}.", hint=advice[status]
        ) from error
    raise Permanent(f"model_http_{status}", f"The model's endpoint refused the request with {status}.") from error
