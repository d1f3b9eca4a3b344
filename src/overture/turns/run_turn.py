"""Run a turn: let the agent decide, do what it needs, and commit what it says.

The agent is pure; here its needs are met, each written into the journal before and after. Drafting starts at once and
only the commit waits for the quiet time, so the wait is the longer of the two. All attempts share the turn's time:
when it is over the contact gets the agent's fallback and a person, never silence. A draft whose tools changed something
is not thrown away for what arrived meanwhile: that gets the next turn, whose agent sees what was said.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias, assert_never

import msgspec

from overture.actions import claim_turns, commit_turn, follow_up
from overture.actions.claim_turns import TurnClaim
from overture.agents import kinds, variables
from overture.domain import loop_guard, reply_time
from overture.domain.agent import FlowSpec
from overture.domain.channel import Channel
from overture.domain.errors import Failure
from overture.domain.message import Author as MessageAuthor
from overture.domain.message import Direction, Text, shown, with_quote
from overture.domain.model_use import Prices
from overture.domain.ports import Ids, ModelClient, ToolCaller
from overture.domain.tool import MOST_CALLS
from overture.domain.turn import (
    Author,
    Began,
    Decision,
    Finish,
    HandOver,
    Heard,
    Line,
    NeedModel,
    NeedSearch,
    NeedTool,
    Observation,
    Pause,
    Scene,
    Silent,
    nothing_said,
)
from overture.store import messages, turns
from overture.store.batch import Batch
from overture.store.engine import Store, Writing
from overture.store.messages import Message
from overture.store.signals import Signals
from overture.turns import knowledge, unread
from overture.turns.ask_model import ask_model
from overture.turns.journal import Journal, Key, LostError, SpentError
from overture.turns.meaning import Meaning
from overture.turns.tools import NoTools, call_tool

TURN: Final = timedelta(seconds=30)  # a person who waits longer for a text message puts the phone away
REQUESTS: Final = 8  # model requests of one draft
SEARCHES: Final = 8  # and searches: a prompt agent makes one, a flow one a node
TRIES: Final = 3  # claims of one turn that died or failed before the fallback is said
WORDS: Final = timedelta(seconds=20)  # for a voice note's words to come, counted from its arrival
WORDS_LOOK_SECONDS: Final = 1.0  # between two looks for them: a signal of another process may be lost
RENEW_SECONDS: Final = 10.0  # a third of the lease
NO_TOOLS: Final = NoTools()
NOT_IN_TIME: Final = HandOver(note="The agent could not answer in time.")
NO_PRICES: Final[Prices] = {}

Commits: TypeAlias = Batch[commit_turn.Draft, commit_turn.Outcome]

_AUTHORS: Final = {
    MessageAuthor.AGENT: Author.AGENT,
    MessageAuthor.CALLER: Author.AGENT,
    MessageAuthor.CONTACT: Author.CONTACT,
    MessageAuthor.OPERATOR: Author.OPERATOR,
}


async def run_turn(
    claim: TurnClaim,
    *,
    store: Store,
    model: ModelClient,
    ids: Ids,
    signals: Signals,
    tools: ToolCaller = NO_TOOLS,
    commits: Commits | None = None,
    meaning: Meaning | None = None,
    prices: Prices = NO_PRICES,
) -> commit_turn.Outcome:
    """Carry one claimed turn to its commit. Raises what the store raises; the claim then runs out by itself.

    `commits` are those of all turns that run; without it this one has a commit of its own.
    """
    commits = commits or Batch(store, commit_turn.commit_turns, ids)
    conversation, now = claim.conversation, store.now()
    turn_id = ids.new(now, conversation.shard)
    key = Key(claimed=conversation, agent=claim.agent, turn_id=turn_id, started_at=now, prices=prices)
    journal = await Journal.open(store, key, replays=kinds.needs_more_than_model(claim.agent.spec))
    turn = _Turn(
        claim,
        key,
        journal,
        store=store,
        model=model,
        ids=ids,
        commits=commits,
        signals=signals,
        tools=tools,
        meaning=meaning,
    )
    try:
        return await turn.run()
    except LostError as lost:
        return commit_turn.Lost(why=str(lost))


class _Turn:
    """One turn while it runs."""

    def __init__(
        self,
        claim: TurnClaim,
        key: Key,
        journal: Journal,
        *,
        store: Store,
        model: ModelClient,
        ids: Ids,
        commits: Commits,
        signals: Signals,
        tools: ToolCaller,
        meaning: Meaning | None,
    ) -> None:
        self._signals: Final = signals
        self._claim: Final = claim
        self._conversation: Final = claim.conversation
        self._before: Final = unread.look_back(claim.history, claim.conversation.id)
        self._spec: Final = claim.agent.spec
        self._store: Final = store
        self._model: Final = model
        self._ids: Final = ids
        self._commits: Final = commits
        self._tools: Final = tools
        self._meaning: Final = meaning
        self._journal: Final = journal
        self._started_at: Final = journal.began_at
        self._turn_id: Final = key.turn_id
        self._requests = self._calls = self._searches = 0
        self._follows_up = claim.follow_up is not None
        self._deadline = max(key.started_at, claim.conversation.reply_due_at or self._started_at) + TURN

    async def run(self) -> commit_turn.Outcome:
        """Draft, wait for the quiet time, commit; again when the contact wrote meanwhile."""
        heard, in_seq = self._waiting()
        reply_due_at, redrafts = self._conversation.reply_due_at, 0
        async with self._held():
            while True:
                self._journal.to_seq = in_seq
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
                    is_final=self._journal.has_changed or len(heard) >= claim_turns.HISTORY,
                    trigger="inbound" if heard else follow_up.TRIGGER if self._follows_up else "opening",
                    started_at=self._started_at,
                )
                outcome = await self._commit(draft)
                if not isinstance(outcome, commit_turn.Newer):
                    return outcome
                heard, reply_due_at = outcome.heard, outcome.reply_due_at
                in_seq = _last_read(heard, outcome.in_seq)
                self._deadline = max(self._store.now(), reply_due_at or self._started_at) + TURN
                redrafts += 1

    async def _commit(self, draft: commit_turn.Draft) -> commit_turn.Outcome:
        """Write what the turn came to: with others, or a follow-up, which holds caps, alone."""
        if draft.trigger != follow_up.TRIGGER:
            return await self._commits.submit(draft)
        return await self._store.write(lambda tx: commit_turn.commit_turn(tx, draft, self._store.now(), self._ids))

    def _waiting(self) -> tuple[tuple[Message, ...], int]:
        """The lines to answer, and the last one's number: those that an earlier attempt changed something for."""
        up_to = self._journal.up_to
        if up_to is None:
            return self._claim.heard, _last_read(self._claim.heard, self._conversation.in_seq)
        return tuple(line for line in self._claim.heard if line.seq <= up_to), up_to

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
        self._follows_up = self._claim.follow_up is not None and not heard
        if self._conversation.tries > TRIES:
            return self._give_up()
        if (loop := self._find_loop(heard)) is not None:
            return self._stop(Pause(reason="loop", note=loop))
        state = self._state()
        self._requests = self._calls = self._searches = 0
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
        while not isinstance(decision, Finish):
            try:
                observation = await self._meet(decision)
            except SpentError as spent:
                return self._break_off(state, Pause(reason="budget", note=str(spent)))
            if observation is None:
                return self._break_off(state)
            state, decision = kinds.step(self._spec, state, observation, scene)
        return state, decision

    async def _meet(self, need: NeedModel | NeedTool | NeedSearch) -> Observation | None:
        """What a need gives, None where a draft has had enough of its kind."""
        match need:
            case NeedModel(request=request):
                self._requests += 1
                if self._requests > REQUESTS:
                    return None
                return await ask_model(
                    request, model=self._model, store=self._store, journal=self._journal, deadline=self._deadline
                )
            case NeedTool():
                self._calls += 1
                if self._calls > MOST_CALLS:
                    return None
                return await call_tool(
                    need,
                    spec=self._spec,
                    claimed=self._conversation,
                    caller=self._tools,
                    store=self._store,
                    journal=self._journal,
                    deadline=self._deadline,
                )
            case NeedSearch():
                self._searches += 1
                if self._searches > SEARCHES:
                    return None
                return await knowledge.search(
                    need,
                    claimed=self._conversation,
                    store=self._store,
                    journal=self._journal,
                    meaning=self._meaning,
                )
            case _ as never:
                assert_never(never)

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
        elif self._claim.follow_up is not None:
            observations.append(Silent(about=self._claim.follow_up))
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
        return self._break_off(self._readable_state())

    def _readable_state(self) -> kinds.State:
        """The state; what keeps a turn from its end may be the very one that was kept, and then it begins anew."""
        try:
            return self._state()
        except (msgspec.MsgspecError, ValueError):
            return kinds.begin(self._spec)

    def _break_off(self, state: kinds.State, control: HandOver | Pause = NOT_IN_TIME) -> tuple[kinds.State, Finish]:
        """Say the fallback and leave the rest to a person; where nobody waits, rather nothing than an excuse.

        An agent that was to follow up stands where it stood: the question that was open then still is.
        """
        if self._follows_up:
            kept = self._readable_state()
            return kept, nothing_said(kinds.place(kept), self._conversation.expects)
        place = kinds.place(state)
        return state, Finish(replies=(self._spec.fallback,), place=place, path=(place,), control=control)


def _lines(messages: Sequence[Message]) -> tuple[Line, ...]:
    return tuple(
        Line(author=_AUTHORS[line.author], text=with_quote(line.body), at=line.created_at) for line in messages
    )


def _last_read(heard: Sequence[Message], in_seq: int) -> int:
    """The last line that a draft answers; where more wait than it reads at once, the others get a turn of their own."""
    return heard[-1].seq if len(heard) >= claim_turns.HISTORY else in_seq


def _payloads(heard: Sequence[Message]) -> tuple[str, ...]:
    bodies = [line.body for line in heard]
    return tuple(body.payload for body in bodies if isinstance(body, Text) and body.payload is not None)
