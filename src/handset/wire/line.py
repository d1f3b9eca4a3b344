"""The line: each request to the REST API passes here, and what the rules say happens to it and to its answer.

"Landed" means that the API did what was asked and the client never hears of it. Lengths on the wire are seconds of
the machine; a late acceptance comes by Handset's clock.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handset.api.routes import FAULTS
from handset.asking import RequestError
from handset.clock import Clock
from handset.faults.kinds import NATURES
from handset.faults.plan import Acting, Plan
from handset.state.feed import Feed
from handset.state.nouns import Webhook
from handset.wire import answers, connection, requests

DRIP_STEPS: Final = 2_000  # a byte each up to that size; a larger answer drips a few bytes at a time


@dataclass(kw_only=True)
class Captured:
    """An answer of the API that the client has not heard yet."""

    messages: list[Message] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """All of its body."""
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def sid(self) -> str | None:
        """The SID of what was made; None if nothing was."""
        if self.messages[0]["status"] != 201:
            return None
        return str(msgspec.json.decode(self.body, type=dict[str, Any])["sid"])

    @property
    def start(self) -> Message:
        """Its status and headers."""
        return self.messages[0]


class Wire:
    """Wraps the application; without rules and without the header of a rule a request passes untouched."""

    def __init__(self, app: ASGIApp, *, plan: Plan, clock: Clock, feed: Feed) -> None:
        self._app = app
        self._plan = plan
        self._clock = clock
        self._feed = feed
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        traffic = requests.traffic_of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if traffic is None:
            return await self._app(scope, receive, send)
        try:
            rule = requests.rule_of(scope, traffic)
        except RequestError as wrong:
            return await JSONResponse(wrong.answer, status_code=wrong.status)(scope, receive, send)
        if rule is None and self._plan.is_quiet:
            return await self._app(scope, receive, send)
        body, whole = await requests.read_body(receive)
        own = self._plan.stand(rule) if rule is not None else None
        if not whole:  # too large to be taken, or its client is gone
            return await self._app(scope, _replaying(body, receive, whole=False), send)
        acting = self._plan.draw(requests.passing_of(traffic, scope, body), own=own)
        if own is not None and NATURES[own.rule.kind].is_of_webhooks and traffic == "send":
            acting.append(Acting(standing=own, passing=requests.passing_of(traffic, scope, body)))
        answer = next((one for one in acting if NATURES[one.rule.kind].place == "answer"), None)
        scope[FAULTS] = tuple(one for one in acting if one is not answer)
        if answer is None:
            return await self._app(scope, _replaying(body, receive), send)
        return await self._meddle(answer, scope, body, receive, send)

    def close(self) -> None:
        """Let go of every held request: Handset is stopping."""
        self._closing.set()
        for task in self._tasks:
            task.cancel()

    async def _meddle(self, acting: Acting, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        rule = acting.rule
        if rule.kind in {"429", "500", "html", "refused", "timeout", "reset", "cut"}:
            self._plan.record(acting)
        match rule.kind:
            case "429":
                await answers.too_many(rule)(scope, receive, send)
            case "500":
                await answers.refused(20500)(scope, receive, send)
            case "html":
                await answers.page()(scope, receive, send)
            case "refused":
                await answers.refused(rule.code or 20001)(scope, receive, send)
            case "timeout":
                await self._hold(scope, receive, seconds=rule.length)
            case "reset" | "cut":
                await self._reset(scope, receive)
            case "late_acceptance":
                due = self._clock.now() + timedelta(seconds=rule.length)
                self._spawn(self._land_later(acting, scope, body, due=due))
                await self._reset(scope, receive)
            case "before_201":
                await self._answer_after_callback(acting, scope, body, receive, send)
            case _:
                await self._lose_answer(acting, await self._land(scope, body, acting), scope, receive, send)

    async def _lose_answer(
        self, acting: Acting, captured: Captured, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """What happens to an answer whose request was carried out."""
        match acting.rule.kind:
            case "500_landed":
                await answers.refused(20500)(scope, receive, send)
            case "timeout_landed":
                await self._hold(scope, receive, seconds=acting.rule.length)
            case "reset_landed":
                await self._reset(scope, receive)
            case "truncated":
                await send(captured.start)
                await send(
                    {"type": "http.response.body", "body": captured.body[: len(captured.body) // 2], "more_body": True}
                )
                connection.close(scope)
                await connection.gone(receive)
            case "slow":
                await self._drip(captured, seconds=acting.rule.length, send=send)
            case _:
                raise AssertionError(f"{acting.rule.kind} is no fault of an answer")

    # -- what happens on the line

    async def _land(self, scope: Scope, body: bytes, acting: Acting) -> Captured:
        captured = Captured()

        async def keep(message: Message) -> None:
            captured.messages.append(message)

        await self._app(scope, _replaying(body, self._never), keep)
        self._plan.record(acting, message_sid=captured.sid)
        return captured

    async def _land_later(self, acting: Acting, scope: Scope, body: bytes, *, due: datetime) -> None:
        await self._clock.until(due)
        await self._land(scope, body, acting)

    async def _answer_after_callback(
        self, acting: Acting, scope: Scope, body: bytes, receive: Receive, send: Send
    ) -> None:
        position = self._feed.position
        captured = await self._land(scope, body, acting)
        sid = captured.sid
        with contextlib.suppress(TimeoutError):
            async with (
                asyncio.timeout(acting.rule.length if sid else 0),
                contextlib.aclosing(self._webhooks(position)) as told,
            ):
                async for webhook in told:
                    if webhook.message_sid == sid and webhook.kind == "status" and webhook.finished:
                        break
        for message in captured.messages:
            await send(message)

    async def _webhooks(self, position: str) -> AsyncGenerator[Webhook]:
        async for event in self._feed.follow(position):
            if event is not None and isinstance(event.subject, Webhook):
                yield event.subject

    async def _drip(self, captured: Captured, *, seconds: float, send: Send) -> None:
        body = captured.body
        step = max(1, len(body) // DRIP_STEPS)
        clock = asyncio.get_running_loop().time
        began = clock()
        await send(captured.start)
        for begin in range(0, len(body), step):
            await send({"type": "http.response.body", "body": body[begin : begin + step], "more_body": True})
            due = began + seconds * begin / len(body)
            if not self._closing.is_set():
                await asyncio.sleep(max(0.0, due - clock()))
        await send({"type": "http.response.body", "body": b""})

    async def _hold(self, scope: Scope, receive: Receive, *, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone_or_closing(receive)
        await self._reset(scope, receive)

    async def _reset(self, scope: Scope, receive: Receive) -> None:
        connection.reset(scope)
        await connection.gone(receive)

    async def _gone_or_closing(self, receive: Receive) -> None:
        waits = [asyncio.ensure_future(connection.gone(receive)), asyncio.ensure_future(self._closing.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _never(self) -> Message:
        await self._closing.wait()
        return {"type": "http.disconnect"}

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _replaying(body: bytes, receive: Receive, *, whole: bool = True) -> Receive:
    """A receive that gives the body that was read, and then what still comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": not whole}

    return replay
