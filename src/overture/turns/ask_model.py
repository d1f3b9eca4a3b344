"""Ask a model within the turn's time, again after a passing failure, each request written down before and after."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from overture import log
from overture.domain import retry
from overture.domain.errors import Failure, Transient, Unavailable
from overture.domain.ports import ModelClient
from overture.domain.turn import ModelAnswered, ModelFailed, ModelRequest
from overture.store.engine import Store
from overture.turns.journal import Journal

_log: Final = log.get(__name__)
MODEL: Final = timedelta(seconds=20)
TRIES: Final = 3  # of one request
MAY_HAVE_WORKED: Final = frozenset({"model_timeout", "model_silent", "model_empty"})  # and be charged for
GRACE_SECONDS: Final = 1.0  # the model's client keeps the time itself; where it fails to, the contact still gets a word


async def ask_model(
    request: ModelRequest, *, model: ModelClient, store: Store, journal: Journal, deadline: datetime
) -> ModelAnswered | ModelFailed:
    """The model's answer, or why there is none. Raises SpentError where no budget has room for it."""
    if (known := journal.find_answer(request)) is not None:
        return known
    for attempt in range(TRIES):
        left = (deadline - store.now()).total_seconds()
        if left <= 0:
            break
        try:
            return await _ask_once(request, model, journal, min(left, MODEL.total_seconds()))
        except Transient as passing:
            pause = retry.delay(attempt, passing.retry_after_seconds).total_seconds()
            if store.now() + timedelta(seconds=pause) >= deadline:
                return ModelFailed(reason=passing.description)
            await asyncio.sleep(pause)
        except Unavailable:
            raise  # the database is away, not the model: the claim runs out and the turn is run again
        except Failure as lasting:
            return ModelFailed(reason=lasting.description)
    return ModelFailed(reason="The model gave no answer in time.")


async def _ask_once(
    request: ModelRequest, model: ModelClient, journal: Journal, timeout_seconds: float
) -> ModelAnswered:
    number = await journal.begin_model(request)
    try:
        answer = await _complete(request, model, timeout_seconds)
    except Failure as failure:
        why, took_nothing = f"{failure.code}: {failure.description}", failure.code not in MAY_HAVE_WORKED
        await journal.fail_model(number, why, took_nothing=took_nothing)
        _log.warning("model_failed", endpoint=request.endpoint, code=failure.code, reason=failure.description)
        raise
    await journal.end_model(number, request, answer)
    return answer


async def _complete(request: ModelRequest, model: ModelClient, timeout_seconds: float) -> ModelAnswered:
    try:
        async with asyncio.timeout(timeout_seconds + GRACE_SECONDS):
            return await model.complete(request, timeout_seconds=timeout_seconds)
    except TimeoutError as silent:
        raise Transient("model_silent", "The model did not answer in time.") from silent
