"""Plays one conversation of a script, step by step, and stops where the agent does otherwise.

Steps that prepare something (a model's answer, a fault) and what the contact writes take effect with the next step that
looks: so that it does not matter which of them is written first. Every message of the agent's must be expected by a
step before the contact writes again.
"""

from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Protocol, assert_never

from overture.actions.adopt_settings import SenderSetting, adopt_settings
from overture.actions.hand_back import hand_back
from overture.actions.openings import Started
from overture.actions.save_agent import save_agent
from overture.actions.save_knowledge import Prepared, save_knowledge
from overture.actions.start_conversation import start_conversations
from overture.actions.take_over import take_over
from overture.actions.write_message import Message, write_message
from overture.agents import kinds
from overture.agents.script import (
    Act,
    Crash,
    Fault,
    Model,
    People,
    Play,
    Says,
    Silence,
    State,
    Step,
    Tool,
    Wait,
    Writes,
)
from overture.agents.script_reading import read_length as length_of
from overture.cli.rehearsal.expecting import Missed, check_message, difference, in_words, quoted
from overture.cli.rehearsal.house import WORKSPACE, House, RunawayError
from overture.cli.rehearsal.outcome import Failed
from overture.cli.rehearsal.stand_ins import ACCOUNT, Unexpected
from overture.cli.rehearsal.transcript import Transcript
from overture.domain.agent import AgentSpec
from overture.domain.channel import Channel, address_on
from overture.domain.errors import Refusal
from overture.domain.prices import MICROS
from overture.domain.sending import Start
from overture.store import model_use
from overture.store.conversations import Conversation
from overture.store.engine import Writing

OURS: Final = "+15550109999"
WITHIN: Final = timedelta(minutes=10)  # an answer that takes longer is none; a provider's silence is settled by then
_NOTHING: Final[Mapping[str, Prepared]] = MappingProxyType({})


class Scripted(Protocol):
    """Somebody who answers by the script; what is left in `answers` was never asked for."""

    @property
    def unexpected(self) -> list[Unexpected]: ...

    @property
    def answers(self) -> deque[Any]: ...


class Player:
    """One conversation."""

    def __init__(
        self,
        play: Play,
        spec: AgentSpec,
        house: House,
        transcript: Transcript,
        *,
        models: Scripted,
        tools: Scripted,
        knowledge: Mapping[str, Prepared] = _NOTHING,
    ) -> None:
        self._play: Final = play
        self._spec: Final = spec
        self._house: Final = house
        self._transcript: Final = transcript
        self._models: Final = models
        self._tools: Final = tools
        self._knowledge: Final = knowledge
        self._channel: Final = Channel(play.channel)
        self._written: list[tuple[str, bool]] = []
        self._began = False
        self._starting = False
        self.step: Step | None = None
        self.number = 0

    async def plays(self) -> None:
        """Play it to its end. Raises Missed."""
        try:
            await self.prepares()
            for step in self._play.steps:
                self.step, self.number = step, self.number + 1
                await self._do(step.act)
                self._check_unexpected()
            self.step = None
            await self.rests()
            self._check_nothing_unread()
            self._check_nothing_left()
        except RunawayError as runaway:
            raise Missed(str(runaway), hint="Does something repeat itself for ever?") from runaway

    async def prepares(self) -> None:
        """Set up the sender, the knowledge and the agent, and the contact's window."""
        agent_id = self._spec.id or "rehearsed"
        by_contact = self._play.opened_by == "contact"
        sender = SenderSetting(
            account_sid=ACCOUNT,
            channel=self._channel,
            address=OURS,
            inbound_agent_id=agent_id if by_contact else None,
        )
        house = self._house

        async def furnish(tx: Writing) -> object:
            for name, prepared in self._knowledge.items():
                await save_knowledge(tx, WORKSPACE, name=name, prepared=prepared, now=house.clock.at, ids=house.ids)
            await adopt_settings(tx, WORKSPACE, [sender], house.clock.at, house.ids)
            return await save_agent(
                tx, workspace_id=WORKSPACE, spec=self._spec, agent_id=agent_id, now=house.clock.at, ids=house.ids
            )

        saved = await house.store.write(furnish)
        if isinstance(saved, Refusal):
            raise Missed(f"The agent has an error: {saved.description}", hint="`overture agents lint` says more.")
        if self._play.window and not by_contact:
            await self.hears(["Hello"])
            await house.passes(timedelta(minutes=1))
        self._began, self._starting = by_contact, not by_contact

    async def begins(self) -> None:
        """Open the conversation, where that is the agent's to do."""
        if not self._starting:
            return
        self._starting, self._began = False, True
        start = Start(
            workspace_id=WORKSPACE,
            agent_id=self._spec.id or "rehearsed",
            channel=self._channel,
            to_number=self._play.contact,
            from_number=OURS,
            digest="rehearsal",
            text=self._play.opening,
            variables=self._play.variables,
        )
        house = self._house
        [answer] = await house.store.write(lambda tx: start_conversations(tx, [start], house.clock.at, house.ids))
        if not isinstance(answer, Started):
            raise Missed(f"The conversation does not open: {answer.description}", hint=answer.hint)

    async def hears(self, texts: list[str], *, tapped: bool = False) -> None:
        """The contact writes lines, one right after the other."""
        to = address_on(self._channel, OURS)
        by = address_on(self._channel, self._play.contact)
        for text in texts:
            self._transcript.contact(text)
        await self._house.keeps(
            [self._house.phone.writes(text, by=by, to=to, tapped=tapped) for text in texts],
        )

    async def rests(self) -> None:
        """Begin, hand over what the contact wrote, and work until nothing is left to do now."""
        await self._flush()
        await self._house.rests()
        self._check_unexpected()

    async def conversation(self) -> Conversation | None:
        """The latest conversation; None where none has begun."""
        ids = await self._house.list_conversations()
        return await self._house.conversation(ids[0]) if ids else None

    async def _flush(self) -> None:
        await self.begins()
        written, self._written = self._written, []
        for text, tapped in written:
            if tapped:
                await self.hears([text], tapped=True)
        if burst := [text for text, tapped in written if not tapped]:
            await self.hears(burst)

    async def _do(self, act: Act) -> None:
        match act:
            case Says():
                await self._expect(act)
            case Writes():
                await self.rests()
                self._check_nothing_unread()
                self._written = [(text, False) for text in act.texts] if act.tap is None else [(act.tap, True)]
            case Wait(length=length):
                await self.rests()
                self._transcript.note(f"{in_words(length)} pass")
                await self._house.passes(length)
            case Silence(length=length):
                await self.rests()
                await self._house.until(self._has_news, length)
                self._check_nothing_unread()
            case Tool():
                self._tools.answers.append(act)
            case Model():
                self._models.answers.append(act)
            case Fault():
                self._house.phone.faults.append(act)
            case Crash(where="answering"):
                self._house.dies_before_its_commit()
            case Crash():
                self._house.phone.dies_after_next = True
            case People():
                await self._let_people(act)
            case State():
                await self.rests()
                await self._check_state(act)
            case _ as never:
                assert_never(never)

    async def _has_news(self) -> bool:
        return bool(self._transcript.unread or self._models.unexpected or self._tools.unexpected)

    async def _expect(self, says: Says) -> None:
        await self._flush()
        within = WITHIN if says.within is None else length_of(says.within) or WITHIN
        await self._house.until(self._has_news, within)
        self._check_unexpected()
        if not self._transcript.unread:
            raise Missed(f"The agent says nothing within {in_words(within)}.", detail=f"  expected   {quoted(says)}")
        check_message(says, self._transcript.unread.pop(0))

    async def _let_people(self, asked: People) -> None:
        await self.rests()
        found = await self.conversation()
        if found is None:
            raise Missed("There is no conversation that people could take over.")
        key: dict[str, Any] = {"workspace_id": WORKSPACE, "conversation_id": found.id, "by": asked.by}
        house, now = self._house, self._house.clock.at
        try:
            if asked.take_over:
                self._transcript.note(f"{asked.by} takes the conversation over")
                await house.store.write(lambda tx: take_over(tx, **key, note=asked.note, now=now, ids=house.ids))
            if asked.write is not None:
                message = Message(**key, digest=f"{self.number}", text=asked.write)
                self._transcript.by_people.append(asked.write)
                await house.store.write(lambda tx: write_message(tx, message, now, house.ids))
                await house.rests()
            if asked.hand_back:
                self._transcript.note(f"{asked.by} hands the conversation back")
                await house.store.write(lambda tx: hand_back(tx, **key, now=now, ids=house.ids))
        except Refusal as refused:
            raise Missed(f"That is refused: {refused.description}", hint=refused.hint) from refused

    async def _check_state(self, expected: State) -> None:
        found = await self.conversation()
        if found is None:
            raise Missed("No conversation has begun.")
        state = None if found.state is None else kinds.decode(self._spec, found.state.encode())
        arrived = self._house.phone.arrived
        used = await self._house.store.read(lambda tx: model_use.list_of_conversation(tx, WORKSPACE, found.id))
        tokens = sum(one.input_tokens + one.output_tokens for one in used)
        present: dict[str, Any] = {
            "mode": found.mode.value,
            "ended": None if found.end_reason is None else found.end_reason.value,
            "place": None if state is None else kinds.place(state),
            "messages": len(arrived),
            "segments": sum(one.segments for one in arrived),
            "model_requests": sum(one.requests for one in used),
        }
        wrong = [
            difference(name, wanted, present[name])
            for name in present
            if (wanted := getattr(expected, name)) is not None and wanted != present[name]
        ]
        if expected.most_tokens is not None and tokens > expected.most_tokens:
            wrong.append(difference("tokens", f"at most {expected.most_tokens}", tokens))
        cost = sum(one.micros for one in used) / MICROS
        if expected.most_cost is not None and (cost > expected.most_cost or self._play.model_price is None):
            found_cost = cost if self._play.model_price is not None else "no model_price"
            wrong.append(difference("cost", f"at most {expected.most_cost}", found_cost))
        slots = {} if state is None else kinds.slots(state)
        wrong += [
            difference(f"slot {name}", wanted, slots.get(name))
            for name, wanted in expected.slots.items()
            if slots.get(name) != wanted
        ]
        if expected.note is not None and expected.note.casefold() not in (found.mode_note or "").casefold():
            wrong.append(difference("note", expected.note, found.mode_note))
        if wrong:
            raise Missed("The conversation stands otherwise.", detail="\n".join(wrong))

    def _check_nothing_unread(self) -> None:
        if self._transcript.unread:
            said = self._transcript.unread[0].text
            raise Missed(
                "The agent says something that no step expects.",
                detail=f"  it says    {said!r}",
                hint="Every message needs a step `agent: ...` before the contact writes again.",
            )

    def _check_unexpected(self) -> None:
        for one in [*self._models.unexpected, *self._tools.unexpected]:
            raise Missed(one.sentence, detail=one.detail)

    def _check_nothing_left(self) -> None:
        left = [f"an answer of the tool {one.name}" for one in self._tools.answers]
        left += ["an answer of the model" for _ in self._models.answers]
        left += [f"the provider's fault {one.code}" for one in self._house.phone.faults]
        left += ["a crash"] if self._house.is_doomed else []
        if left:
            raise Missed(f"What the script prepares never happened: {', '.join(left)}.")


def failed(player: Player, missed: Missed) -> Failed:
    """What is told of a step that was missed."""
    return Failed(
        number=player.number,
        key="the end" if player.step is None else player.step.key,
        sentence=missed.sentence,
        detail=missed.detail,
        hint=missed.hint,
    )
