"""Run a turn: let the agent decide, do what it needs, and commit what it says.

The agent is pure; here its needs are met, each written into the journal before and after. Drafting starts at once and
only the commit waits for the quiet time, so the wait is the longer of the two. All attempts share the turn's time:
when it is over the contact gets the agent's fallback and a person, never silence.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from overture.actions import claim_turns, commit_turn
from overture.actions.claim_turns import TurnClaim
from overture.agents import kinds, variables
from overture.domain import loop_guard, reply_time, retry
from overture.domain.agent import FlowSpec
from overture.domain.channel import Channel
from overture.domain.errors import Failure, Transient, Unavailable
from overture.domain.message import Author as MessageAuthor
from overture.domain.message import Direction, Text, shown, with_quote
from overture.domain.ports import Ids, ModelClient
from overture.domain.turn import (
    Author,
    Began,
    Decision,
    Finish,
    HandOver,
    Heard,
    Line,
    ModelAnswered,
    ModelFailed,
    ModelRequest,
    NeedModel,
    Observation,
    Pause,
    Scene,
)
from overture.store import messages, turns
from overture.store.engine import Store, Writing
from overture.store.messages import Message
from overture.store.signals import Signals
from overture.turns import unread

TURN: Final = timedelta(seconds=30)  # a person who waits longer for a text message puts the phone away
MODEL: Final = timedelta(seconds=20)
REQUESTS: Final = 8  # model requests of one turn
TRIES: Final = 3  # claims of one turn that died or failed before the fallback is said
GRACE_SECONDS: Final = 1.0  # the model's client keeps the time itself; where it fails to, the contact still gets a word
WORDS: Final = timedelta(seconds=20)  # for a voice note's words to come, counted from its arrival
WORDS_LOOK_SECONDS: Final = 1.0  # between two looks for them: a signal of another process may be lost
RENEW_SECONDS: Final = 10.0  # a third of the lease

_AUTHORS: Final = {
    MessageAuthor.AGENT: Author.AGENT,
    MessageAuthor.CALLER: Author.AGENT,
    MessageAuthor.CONTACT: Author.CONTACT,
    MessageAuthor.OPERATOR: Author.OPERATOR,
}


async def run_turn(
    claim: TurnClaim, *, store: Store, model: ModelClient, ids: Ids, signals: Signals
) -> commit_turn.Outcome:
    """Carry one claimed turn to its commit. Raises what the store raises; the claim then runs out by itself."""
    return await _Turn(claim, store=store, model=model, ids=ids, signals=signals).run()


class _Turn:
    """One turn while it runs."""

    def __init__(self, claim: TurnClaim, *, store: Store, model: ModelClient, ids: Ids, signals: Signals) -> None:
        self._signals: Final = signals
        self._claim: Final = claim
        self._conversation: Final = claim.conversation
        self._before: Final = unread.look_back(claim.history, claim.conversation.id)
        self._spec: Final = claim.agent.spec
        self._store: Final = store
        self._model: Final = model
        self._ids: Final = ids
        self._started_at: Final = store.now()
        self._turn_id: Final = ids.new(self._started_at, claim.conversation.shard)
        self._steps = 0
        self._deadline = max(self._started_at, claim.conversation.reply_due_at or self._started_at) + TURN

    async def run(self) -> commit_turn.Outcome:
        """Draft, wait for the quiet time, commit; again when the contact wrote meanwhile."""
        heard, in_seq = self._claim.heard, self._conversation.in_seq
        reply_due_at, redrafts = self._conversation.reply_due_at, 0
        async with self._held():
            while True:
                heard = await self._with_words(heard)
                state, finish = await self._draft(heard)
                await self._wait_until(reply_due_at)
                draft = commit_turn.Draft(
                    turn_id=self._turn_id,
                    claim=self._claim,
                    finish=finish,
                    state=kinds.encode(state).decode(),
                    to_seq=in_seq,
                    redrafts=redrafts,
                    trigger="inbound" if heard else "opening",
                    started_at=self._started_at,
                )
                outcome = await self._store.write(
                    lambda tx, draft=draft: commit_turn.commit_turn(tx, draft, self._store.now(), self._ids)  # type: ignore[misc]
                )
                if not isinstance(outcome, commit_turn.Newer):
                    return outcome
                heard, in_seq, reply_due_at = outcome.heard, outcome.in_seq, outcome.reply_due_at
                self._deadline = max(self._store.now(), reply_due_at or self._started_at) + TURN
                redrafts += 1

    async def _with_words(self, heard: tuple[Message, ...]) -> tuple[Message, ...]:
        """The lines, once voice notes among them were written down, or that took too long."""
        keys = [(self._conversation.workspace_id, line.conversation_id, line.seq) for line in heard]
        while (left := self._words_are_due_in(heard)) > 0:
            await self._signals.wait(f"words:{self._conversation.id}", min(left, WORDS_LOOK_SECONDS))
            found = await self._store.read(lambda tx: messages.find_all(tx, keys))
            heard = tuple(found.get(line.id, line) for line in heard)
            self._deadline = max(self._deadline, self._store.now() + TURN)
        return heard

    def _words_are_due_in(self, heard: Sequence[Message]) -> float:
        waiting = [line.created_at for line in heard if isinstance(line.body, Text) and line.body.awaits_words]
        return (max(waiting) + WORDS - self._store.now()).total_seconds() if waiting else 0.0

    async def _draft(self, heard: Sequence[Message]) -> tuple[kinds.State, Finish]:
        """Let the agent see everything from its last state on, and collect what it says."""
        if self._conversation.tries > TRIES:
            return self._give_up()
        if (loop := self._find_loop(heard)) is not None:
            return self._stop(Pause(reason="loop", note=loop))
        state = self._state()
        replies: list[str] = []
        path: list[str] = []
        finish: Finish | None = None
        scene = self._scene(heard)
        for observation in self._observations(heard):
            state, decision = kinds.step(self._spec, state, observation, scene)
            state, finish = await self._carry_out(state, decision, scene)
            replies += finish.replies
            path += finish.path
            if finish.control is not None:
                break
        if finish is None:
            finish = Finish(replies=(), place=kinds.place(state))
        return state, msgspec.structs.replace(finish, replies=tuple(replies), path=tuple(path))

    async def _carry_out(self, state: kinds.State, decision: Decision, scene: Scene) -> tuple[kinds.State, Finish]:
        """Meet the needs of a decision until the agent finishes."""
        for _ in range(REQUESTS):
            if isinstance(decision, Finish):
                return state, decision
            state, decision = kinds.step(self._spec, state, await self._ask(decision), scene)
        if isinstance(decision, Finish):
            return state, decision
        return state, self._fallback(kinds.place(state))

    async def _ask(self, need: NeedModel) -> ModelAnswered | ModelFailed:
        """Ask the model, again after a passing failure, within the turn's time."""
        deadline = self._deadline
        for attempt in range(TRIES):
            left = (deadline - self._store.now()).total_seconds()
            if left <= 0:
                break
            try:
                return await self._ask_once(need.request, min(left, MODEL.total_seconds()))
            except Transient as passing:
                pause = retry.delay(attempt, passing.retry_after_seconds).total_seconds()
                if self._store.now() + timedelta(seconds=pause) >= deadline:
                    return ModelFailed(reason=passing.description)
                await asyncio.sleep(pause)
            except Unavailable:
                raise  # the database is away, not the model: the claim runs out and the turn is run again
            except Failure as lasting:
                return ModelFailed(reason=lasting.description)
        return ModelFailed(reason="The model gave no answer in time.")

    async def _ask_once(self, request: ModelRequest, timeout_seconds: float) -> ModelAnswered:
        number, self._steps = self._steps, self._steps + 1
        asked = msgspec.json.encode(request).decode()
        await self._store.write(
            lambda tx: turns.begin_step(
                tx, self._conversation, self._turn_id, number, kind="model", request=asked, now=self._store.now()
            )
        )
        try:
            answer = await self._complete(request, timeout_seconds)
        except Failure as failure:
            await self._end_step(number, "failed", f"{failure.code}: {failure.description}")
            raise
        await self._end_step(number, "done", msgspec.json.encode(answer).decode())
        return answer

    async def _complete(self, request: ModelRequest, timeout_seconds: float) -> ModelAnswered:
        try:
            async with asyncio.timeout(timeout_seconds + GRACE_SECONDS):
                return await self._model.complete(request, timeout_seconds=timeout_seconds)
        except TimeoutError as silent:
            raise Transient("model_silent", "The model did not answer in time.") from silent

    async def _end_step(self, number: int, state: str, result: str) -> None:
        await self._store.write(
            lambda tx: turns.end_step(tx, self._turn_id, number, state=state, result=result, now=self._store.now())
        )

    async def _wait_until(self, reply_due_at: datetime | None) -> None:
        if reply_due_at is not None and (left := (reply_due_at - self._store.now()).total_seconds()) > 0:
            await asyncio.sleep(left)

    @contextlib.asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        """Prolong the claim while the turn runs."""

        async def renew() -> None:
            held = True
            while held:  # when another claim has begun, the commit will find that out
                await asyncio.sleep(RENEW_SECONDS)
                held = await self._store.write(self._renew)

        renewing = asyncio.get_running_loop().create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError, Failure):
                await renewing

    async def _renew(self, tx: Writing) -> bool:
        return await turns.renew(tx, self._conversation, self._store.now() + claim_turns.LEASE)

    def _state(self) -> kinds.State:
        kept = self._conversation.state
        return kinds.begin(self._spec) if kept is None else kinds.decode(self._spec, kept.encode())

    def _observations(self, heard: Sequence[Message]) -> list[Observation]:
        observations: list[Observation] = []
        waiting = self._before.waiting
        if self._conversation.state is None:
            mine = [line for line in self._before.lines if line.conversation_id == self._conversation.id]
            said = [line.text for line in mine if line.direction is Direction.OUT and line.text not in waiting]
            observations.append(Began(opening="\n".join(said) or None, by_contact=not said and bool(heard)))
        if heard:
            # an answer in a flow is what was written alone; a model is told what it replies to
            read = shown if isinstance(self._spec, FlowSpec) else with_quote
            texts = tuple(read(line.body) for line in heard)
            observations.append(Heard(texts=texts, payloads=_payloads(heard), unread=waiting))
        return observations

    def _scene(self, heard: Sequence[Message]) -> Scene:
        claim, conversation = self._claim, self._conversation
        system = variables.system_variables(
            now=self._started_at,
            timezone=self._spec.timezone,
            language=self._spec.language,
            channel=conversation.channel,
            contact_number=claim.contact_number,
            agent_number=claim.agent_number,
            conversation_id=conversation.id,
        )
        values = variables.resolve(self._spec, conversation.variables, system)
        return Scene(
            now=self._started_at,
            channel=conversation.channel,
            variables=system if isinstance(values, variables.Missing) else values,
            history=_lines(self._before.lines),
            late=self._late(heard),
        )

    def _late(self, heard: Sequence[Message]) -> timedelta | None:
        """How long ago the contact wrote, where they notice: an outage of ours or of a webhook lies between."""
        first = min((line.created_at for line in heard), default=None)
        return self._started_at - first if first and reply_time.is_noticed(first, self._started_at) else None

    def _find_loop(self, heard: Sequence[Message]) -> str | None:
        """Why nothing is to be said, where the contact looks like a program. API chats are programs by nature."""
        if not heard or self._conversation.channel is Channel.API:
            return None
        return loop_guard.find_loop(
            _lines(self._claim.history), _lines(heard), replies=self._claim.replies, now=self._started_at
        )

    def _stop(self, control: Pause) -> tuple[kinds.State, Finish]:
        """Say nothing, and stay where the agent stands."""
        state = self._readable_state()
        return state, Finish(replies=(), place=kinds.place(state), control=control)

    def _give_up(self) -> tuple[kinds.State, Finish]:
        state = self._readable_state()
        return state, self._fallback(kinds.place(state))

    def _readable_state(self) -> kinds.State:
        """The state; what keeps a turn from its end may be the very one that was kept, and then it begins anew."""
        try:
            return self._state()
        except (msgspec.MsgspecError, ValueError):
            return kinds.begin(self._spec)

    def _fallback(self, place: str) -> Finish:
        return Finish(
            replies=(self._spec.fallback,),
            place=place,
            path=(place,),
            control=HandOver(note="The agent could not answer in time."),
        )


def _lines(messages: Sequence[Message]) -> tuple[Line, ...]:
    return tuple(
        Line(author=_AUTHORS[line.author], text=with_quote(line.body), at=line.created_at) for line in messages
    )


def _payloads(heard: Sequence[Message]) -> tuple[str, ...]:
    bodies = [line.body for line in heard]
    return tuple(body.payload for body in bodies if isinstance(body, Text) and body.payload is not None)
