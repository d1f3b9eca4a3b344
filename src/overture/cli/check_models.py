"""The model endpoints: whether they answer, and with a probe whether they complete."""

from collections.abc import AsyncIterator

import aiohttp

from overture.adapters.llm.openai_compatible import ModelEndpoint, OpenAICompatible
from overture.cli.finding import Finding, good, note, wrong
from overture.domain.errors import Failure
from overture.domain.turn import ModelRequest, Speech
from overture.settings import ModelSettings, Settings

_SECONDS = 5.0
_PROBE_SECONDS = 20.0


async def examine(settings: Settings, *, probe: bool) -> AsyncIterator[Finding]:
    """Look at each endpoint; a completion costs, so it is asked for only with `probe`."""
    if not settings.models:
        yield note(
            "No model is set up; flow agents need none, prompt agents do.",
            "Set OVERTURE_MODEL_BASE_URL, OVERTURE_MODEL_NAME and OVERTURE_MODEL_API_KEY.",
        )
    for model in settings.models:
        yield await (_probe(model) if probe else _reach(model))


async def _reach(model: ModelSettings) -> Finding:
    """Whether something answers there: the list of models, which some keep to themselves."""
    headers = {"Authorization": f"Bearer {model.api_key}"} if model.api_key else {}
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{model.base_url}/models", headers=headers) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return wrong(
            f"The model endpoint {model.name!r} at {model.base_url} does not answer ({type(error).__name__}).",
            "Is it running, and is its address right?",
        )
    if status in (401, 403):
        return wrong(f"The model endpoint {model.name!r} refuses the key ({status}).", "Check its API key.")
    return good(f"The model endpoint {model.name!r} answers at {model.base_url}; --probe asks {model.model!r} a word.")


async def _probe(model: ModelSettings) -> Finding:
    client = OpenAICompatible(
        [
            ModelEndpoint(
                name=model.name,
                base_url=model.base_url,
                model=model.model,
                api_key=model.api_key,
                max_tokens_field=model.max_tokens_field,
            )
        ]
    )
    request = ModelRequest(
        instructions="Answer with one word.", lines=(Speech(role="user", text="Say: ready"),), max_output_tokens=16
    )
    try:
        answered = await client.complete(request, timeout_seconds=_PROBE_SECONDS)
    except Failure as failed:
        return wrong(f"The model endpoint {model.name!r}: {failed.description}", failed.hint)
    finally:
        await client.aclose()
    return good(f"The model endpoint {model.name!r} answers with {answered.model}.")
