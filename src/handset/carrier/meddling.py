"""What faults do to webhooks on their way: lose, double, delay, shuffle, forge them, or sign them wrongly.

A webhook that is late or shuffled leaves its lane, so that others overtake it. It waits by Handset's clock; when
Handset ends meanwhile, it is sent at the next start like every webhook that was not finished.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from handset.carrier.lanes import Lanes
from handset.clock import Clock
from handset.faults.kinds import Kind
from handset.faults.plan import Acting, Passing, Plan
from handset.state.nouns import Webhook
from handset.state.store import Store

WRONG_TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - made up, and meant to be wrong
NEWS = {"HandsetNewParameter": "1", "HandsetNewParameter[]": "", "handset-new-parameter": "<ünknown & new>"}


@dataclass(frozen=True, kw_only=True)
class Meddled:
    """A webhook, and what is different about its delivery: a forgery goes before it, copies come after it."""

    webhook: Webhook
    forgery: Webhook | None = None
    forged_by: Acting | None = None
    token: str | None = None
    copies: int = 0


Deliver = Callable[[Meddled], Awaitable[None]]


class Meddler:
    """Stands between the reporter and its lanes."""

    def __init__(self, *, plan: Plan, store: Store, clock: Clock, lanes: Lanes) -> None:
        self._plan = plan
        self._store = store
        self._clock = clock
        self._lanes = lanes
        self._gathered: dict[str, list[Meddled]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, lane: str, webhook: Webhook, deliver: Deliver) -> None:
        """Have it delivered in its lane, or as the faults say."""
        acting = {} if self._plan.is_quiet else self._draw(webhook)
        if (lost := acting.get("cut") or acting.get("lost")) is not None:
            why = f"lost on purpose ({lost.standing.id})"
            self._plan.record(lost)
            self._store.put_webhook(msgspec.structs.replace(webhook, finished=True, error=why))
            return
        meddled = self._meddle(webhook, acting)
        if (shuffled := acting.get("shuffled")) is not None:
            self._plan.record(shuffled)
            self._gather(lane, meddled, shuffled, deliver)
        elif (late := acting.get("late")) is not None:
            self._plan.record(late)
            self._spawn(self._later(meddled, late.rule.length, deliver))
        else:
            self._lanes.submit(lane, lambda: deliver(meddled))

    def record_forgery(self, meddled: Meddled, *, answered: int | None) -> None:
        """Put on record what a forged webhook was answered."""
        if meddled.forged_by is not None:
            self._plan.record(meddled.forged_by, answered=answered)

    def clear(self) -> None:
        """Forget what waits."""
        self._gathered.clear()
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """Break off what waits."""
        self.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- inside

    def _draw(self, webhook: Webhook) -> dict[Kind, Acting]:
        message = self._store.find_message(webhook.message_sid)
        passing = Passing(
            traffic="status" if webhook.kind == "status" else "inbound",
            to_address=webhook.params.get("To"),
            from_address=webhook.params.get("From"),
            body=message.body if message is not None else None,
            status=webhook.params.get("MessageStatus"),
            message_sid=webhook.message_sid,
        )
        return {acting.rule.kind: acting for acting in self._plan.draw(passing)}

    def _meddle(self, webhook: Webhook, acting: dict[Kind, Acting]) -> Meddled:
        if (unknown := acting.get("unknown_parameters")) is not None:
            webhook = msgspec.structs.replace(webhook, params=webhook.params | NEWS)
            self._store.put_webhook(webhook)
            self._plan.record(unknown)
        token, copies = None, 0
        if (wrong := acting.get("wrong_token")) is not None:
            token = wrong.rule.token or WRONG_TOKEN
            self._plan.record(wrong)
        if (doubled := acting.get("duplicated")) is not None:
            copies = doubled.rule.times
            self._plan.record(doubled)
        forged = acting.get("forged")
        forgery = _forgery(webhook, forged) if forged is not None else None
        return Meddled(webhook=webhook, forgery=forgery, forged_by=forged, token=token, copies=copies)

    def _gather(self, lane: str, meddled: Meddled, shuffled: Acting, deliver: Deliver) -> None:
        group = self._gathered.get(lane)
        if group is not None:
            group.append(meddled)
            return
        self._gathered[lane] = [meddled]
        self._spawn(self._release(lane, shuffled, deliver))

    async def _release(self, lane: str, shuffled: Acting, deliver: Deliver) -> None:
        await self._clock.until(self._clock.now() + timedelta(seconds=shuffled.rule.length))
        group = self._gathered.pop(lane, [])
        order = list(group)
        while len(group) > 1 and order == group:
            shuffled.generator.shuffle(order)
        for meddled in order:
            await deliver(meddled)

    async def _later(self, meddled: Meddled, seconds: float, deliver: Deliver) -> None:
        await self._clock.until(self._clock.now() + timedelta(seconds=seconds))
        await deliver(meddled)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _forgery(webhook: Webhook, forged: Acting) -> Webhook:
    """What a stranger would send: a text that was never typed, or a failure that never was."""
    if webhook.kind == "status":
        told = {"MessageStatus": "failed", "SmsStatus": "failed", "ErrorCode": "30008"}
    else:
        sid = f"SM{forged.generator.getrandbits(128):032x}"
        told = {"MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid, "Body": "This text is forged."}
    return msgspec.structs.replace(webhook, params=webhook.params | told)
