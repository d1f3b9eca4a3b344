"""What stands in for the world: a clock that is set, ids from a seed, a phone, models and servers by a script."""

import asyncio
import json
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from overture.adapters.twilio import errors
from overture.agents.script import Fault, Model, Tool
from overture.cli.rehearsal.called import Called, recognise
from overture.cli.rehearsal.cassette import Cassette
from overture.cli.rehearsal.telling import tell_request
from overture.domain import ids, provider_errors, segments
from overture.domain.agent import AgentSpec
from overture.domain.channel import Channel, split_address
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import OutcomeUnknown, Permanent, Unreachable
from overture.domain.message import Body, Text, shown
from overture.domain.ports import Accepted, MessagePage, Outgoing, ProviderMessage, RawEvent
from overture.domain.tool import HttpAnswer, HttpRequest
from overture.domain.turn import ModelAnswered, ModelRequest, ToolCall

ACCOUNT: Final = "AC" + "0" * 32


class SetClock:
    """A clock that stands where it was set."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """The instant it stands at."""
        return self.at


class SeededIds:
    """Ids that are the same in every run."""

    def __init__(self) -> None:
        self._random: Final = random.Random(20261126)
        self._count = 0

    def new(self, now: datetime, shard: int | None = None) -> str:
        """An id of this instant; without a shard, one of a shard by chance."""
        self._count += 1
        picked = self._random.randrange(ids.SHARDS) if shard is None else shard
        bits = (self._count & 0xFFF) << 50 | self._random.getrandbits(50)
        return ids.uuid7(int(now.timestamp() * 1000) + (self._count >> 12), bits, picked)


class Arrived(Struct, frozen=True, kw_only=True):
    """A message that reached the contact's phone, or was taken for it."""

    message_id: str
    at: datetime
    text: str
    body: Body
    segments: int


class Phone:
    """A Provider with the contact's phone behind it. `told` are the webhooks that are to follow.

    A fault is used up by the next message. An HTTP status is the provider's answer: 5xx without taking the message, and
    without saying so; another code below 30,000 is its refusal, a higher one comes later, as the report of a failure.
    After `timeout` it has the message, and nobody was told.
    """

    def __init__(self, clock: SetClock, tell: Callable[[str], None], hear: "Callable[[Arrived], None]") -> None:
        self._clock: Final = clock
        self._tell: Final = tell
        self._hear: Final = hear
        self._count = 0
        self.arrived: Final[list[Arrived]] = []
        self.faults: Final[deque[Fault]] = deque()
        self.told: Final[list[RawEvent]] = []
        self.dies_after_next = False
        self._records: Final[list[ProviderMessage]] = []

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Take a message, or do with it as the next fault says."""
        sid = self._answer(outgoing, self.faults.popleft().code if self.faults else None)
        if self.dies_after_next:
            self.dies_after_next = False
            self._tell("the worker dies: it has handed the message over, and not written that down")
            raise asyncio.CancelledError
        return Accepted(sid=sid, status=DeliveryStatus.QUEUED)

    def _answer(self, outgoing: Outgoing, fault: int | str | None) -> str:
        if fault is None:
            return self._take(outgoing)
        if isinstance(fault, str):
            self._tell("the provider takes the message, and its answer is lost")
            self._take(outgoing)
            raise OutcomeUnknown("twilio_no_answer", "The provider did not answer.")
        if fault < 600:
            self._tell(f"the provider answers {fault}")
            raise errors.failure_for(fault, None, None)
        sentence = provider_errors.describe(fault).sentence
        if fault < 30_000:
            self._tell(f"the provider refuses the message with {fault}: {sentence}")
            raise errors.failure_for(429 if fault == 20429 else 400, fault, None)
        self._tell(f"the provider takes the message, and reports {fault} afterwards: {sentence}")
        return self._take(outgoing, code=fault)

    async def list_pages(
        self, account_sid: str, *, page_size: int, sender: str | None = None, to: str | None = None
    ) -> AsyncIterator[MessagePage]:
        """What it has taken, newest first."""
        found = [one for one in reversed(self._records) if sender in (None, one.sender) and to in (None, one.to)]
        yield MessagePage(messages=tuple(found), is_last=True)

    async def fetch(self, account_sid: str, sid: str) -> ProviderMessage | None:
        """One message by its SID."""
        return next((one for one in self._records if one.sid == sid), None)

    def writes(self, line: str, *, by: str, to: str, tapped: bool = False) -> RawEvent:
        """The webhook of a line that the contact writes."""
        sid = self._sid("f")
        form = {"MessageSid": sid, "AccountSid": ACCOUNT, "From": by, "To": to, "Body": line}
        form |= {"ButtonPayload": line, "ButtonText": line} if tapped else {}
        return RawEvent(
            kind="inbound",
            account_sid=ACCOUNT,
            unique_key=sid,
            ordering_key=f"{ACCOUNT}|{to}|{by}",
            query="",
            body=urlencode(form).encode(),
        )

    def _take(self, outgoing: Outgoing, code: int | None = None) -> str:
        sid, text = self._sid("a"), shown(outgoing.body)
        status = DeliveryStatus.DELIVERED if code is None else DeliveryStatus.UNDELIVERED
        record = ProviderMessage(
            sid=sid,
            sender=outgoing.sender,
            to=outgoing.to,
            body=text,
            inbound=False,
            status=status,
            created_at=self._clock.now(),
            error_code=code,
            account_sid=ACCOUNT,
        )
        self._records.append(record)
        form = {"MessageSid": sid, "AccountSid": ACCOUNT, "MessageStatus": status.value}
        form |= {} if code is None else {"ErrorCode": str(code)}
        self.told.append(
            RawEvent(
                kind="status",
                account_sid=ACCOUNT,
                unique_key=f"{sid}/{status.value}",
                ordering_key=sid,
                query="",
                body=urlencode(form).encode(),
            )
        )
        if code is None:
            self.arrived.append(self._arrival(outgoing, text))
            self._hear(self.arrived[-1])
        return sid

    def _arrival(self, outgoing: Outgoing, text: str) -> Arrived:
        """A message as the contact sees it: WhatsApp offers choices beside the text."""
        channel, _ = split_address(outgoing.to)
        body = outgoing.body
        seen = body.text if isinstance(body, Text) and channel is Channel.WHATSAPP else text
        return Arrived(
            message_id=outgoing.message_id, at=self._clock.now(), text=seen, body=body, segments=segments.count(text)
        )

    def _sid(self, letter: str) -> str:
        self._count += 1
        return f"SM{letter}{self._count:031x}"


class Unexpected(Struct, frozen=True, kw_only=True):
    """Something was asked of the world that the script does not say, or says otherwise."""

    sentence: str
    detail: str = ""


class ScriptedModels:
    """Answers from the steps, in their order, and where none is left from the cassette, if there is one."""

    def __init__(self, tell: Callable[[str], None], names: Sequence[str], cassette: Cassette | None = None) -> None:
        self._cassette: Final = cassette
        self._tell: Final = tell
        self._names: Final = tuple(names)
        self._count = 0
        self.answers: Final[deque[Model]] = deque()
        self.unexpected: Final[list[Unexpected]] = []

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """The next answer of the script."""
        if not self.answers and self._cassette is not None:
            return await self._play(self._cassette, request, timeout_seconds)
        if not self.answers:
            self.unexpected.append(
                Unexpected(
                    sentence="The model was asked, and the script has no answer for it (a step `model: ...`).",
                    detail=tell_request(request),
                )
            )
            raise Permanent("model_unscripted", "The script has no answer for the model.")
        answer = self.answers.popleft()
        asked = tell_request(request)
        if missing := [part for part in answer.seen if part.casefold() not in asked.casefold()]:
            self.unexpected.append(Unexpected(sentence=f"The model was asked without {missing[0]!r}.", detail=asked))
        if answer.fails:
            self._tell("the model fails")
            raise Permanent("model_failed", "The script lets the model fail.")
        calls = []
        for wanted in answer.wanted:
            self._count += 1
            calls.append(ToolCall(id=f"call_{self._count}", name=wanted.name, arguments=json.dumps(wanted.given)))
        said = [repr(answer.text)] if answer.text else []
        self._tell(f"the model answers {' and '.join([*said, *(f'calls {one.name}' for one in calls)])}")
        return ModelAnswered(text=answer.text, calls=tuple(calls))

    async def _play(self, cassette: Cassette, request: ModelRequest, timeout_seconds: float) -> ModelAnswered:
        answer = await cassette.find(request, timeout_seconds=timeout_seconds)
        if answer is None:
            sentence = "The model is asked what the cassette has no answer for (`--record` asks the settings' model)."
            self.unexpected.append(Unexpected(sentence=sentence, detail=cassette.tell_miss(request)))
            raise Permanent("model_unrecorded", "The cassette has no answer for the model.")
        self._tell(f"the cassette answers {answer.text!r}")
        return answer

    def endpoints(self) -> Sequence[str]:
        """Whatever the agent names is there."""
        return self._names


class ScriptedTools:
    """A ToolCaller whose servers answer as the steps say, in their order."""

    def __init__(self, tell: Callable[[str], None], spec: AgentSpec) -> None:
        self._tell: Final = tell
        self._spec: Final = spec
        self.answers: Final[deque[Tool]] = deque()
        self.unexpected: Final[list[Unexpected]] = []

    async def call(self, request: HttpRequest, *, timeout_seconds: float) -> HttpAnswer:
        """What the next step says of this call."""
        called = recognise(self._spec, request)
        if not self.answers:
            self._miss(f"The agent calls {called}, and the script has no answer for it (a step `tool: ...`).", request)
        expected = self.answers.popleft()
        if expected.name != called.name:
            self._miss(f"The agent calls {called}, and the script expects {expected.name}.", request)
        wrong = [
            f"{name} is {called.given.get(name)!r} and should be {value!r}"
            for name, value in expected.given.items()
            if not same(called.given.get(name), value)
        ]
        if wrong:
            self._miss(f"The agent calls {called}: {'; '.join(wrong)}.", request)
        return self._answer(called, expected)

    def _answer(self, called: Called, expected: Tool) -> HttpAnswer:
        match expected.fails:
            case "timeout":
                self._tell(f"{called} gets no answer")
                raise OutcomeUnknown("tool_no_answer", "The tool's server did not answer.")
            case "unreachable":
                self._tell(f"{called} reaches nobody")
                raise Unreachable("tool_unreachable", "No connection to the tool's server came about.")
            case int(status):
                self._tell(f"{called} fails with {status}")
                return HttpAnswer(status=status, content_type="text/plain", body=b"")
            case None:
                body = b"{}" if expected.answers is msgspec.UNSET else msgspec.json.encode(expected.answers)
                self._tell(f"{called} gives {body.decode()[:200]}")
                return HttpAnswer(status=expected.status, content_type="application/json", body=body)

    def _miss(self, sentence: str, request: HttpRequest) -> None:
        body = f"\n  {request.body}" if request.body else ""
        self.unexpected.append(Unexpected(sentence=sentence, detail=f"  {request.method} {request.url}{body}"))
        raise Permanent("tool_unscripted", sentence)


def same(found: Any, expected: Any) -> bool:
    """Whether a value is the one that was expected; what was read out of an address is a text, whatever it was."""
    return found == expected or (isinstance(found, str) and found == json.dumps(expected))
