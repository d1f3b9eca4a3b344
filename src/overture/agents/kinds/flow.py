"""The flow engine: an agent that needs no model.

A flow is a graph of nodes. Entering a node says its text, then waits in its question or calls its tool, or goes on: the
first branch that holds, else `goto`, else it ends, else it hands over. Pure: `step` takes a state and an observation
and gives the next state and what to say, and a state is all that has to be kept between two messages.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final, Literal, assert_never

from msgspec import Struct
from msgspec.structs import replace

from overture.agents import answers, beside, conditions, details, tools, variables
from overture.agents.kinds.waiting import target, waits_at, wish
from overture.domain.agent import Ask, Call, EndReason, FlowSpec, GlobalPhrase, Json, Node
from overture.domain.tool import MOST_CALLS, HttpTool
from overture.domain.turn import (
    Began,
    Decision,
    End,
    Finish,
    HandOver,
    Heard,
    ModelAnswered,
    ModelFailed,
    NeedTool,
    Observation,
    Scene,
    Searched,
    Silent,
    ToolReturned,
)

MOST_NODES: Final = 50  # passed in one turn; a flow that needs more goes round in a circle
MOST_REPLIES: Final = 2  # messages a turn; what a flow says beyond is joined into the first


class FlowState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a flow stands.

    `waiting`: the node's question is open, asked again `tries` times. `idle`: nothing is open, and the next message is
    read as the first answer to the start's question (the contact began, or a colleague gave the conversation back).
    `calling`, within a turn: the node's tool is being called; `said`, `path` and `calls` are the turn's until then.
    """

    node: str
    phase: Literal["new", "idle", "waiting", "calling"] = "new"
    tries: int = 0
    slots: dict[str, answers.Value] = {}
    ended: EndReason | None = None
    said: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    calls: int = 0


class _Walk(Struct, kw_only=True):
    """What one turn gathers while it passes through nodes."""

    spec: FlowSpec
    given: Mapping[str, Json]
    slots: dict[str, answers.Value]
    path: list[str]
    said: list[str]
    today: date = date.min
    now: datetime | None = None
    calls: int = 0
    told: ToolReturned | None = None

    @property
    def values(self) -> dict[str, Json]:
        """Every value by its name; those of the last call in this turn by `tool.ok` and its like."""
        told = {f"tool.{name}": getattr(self.told, name) for name in conditions.OF_TOOLS} if self.told else {}
        return {**self.given, **self.slots, **told}

    def fill(self, text: str) -> str:
        told = details.told(self.spec, self.values)
        return variables.fill_message(text, told, known_names(self.spec)).strip()

    def say(self, text: str | None) -> None:
        filled = self.fill(text or "")
        if filled:
            self.said.append(filled)


def known_names(spec: FlowSpec) -> frozenset[str]:
    """Every name that the texts of a flow may use: declared, asked for, saved by a tool, or the system's."""
    asked = (node.ask.slot for node in spec.nodes.values() if node.ask)
    return variables.SYSTEM.union(spec.variables, asked, tools.slots(spec))


def begin(spec: FlowSpec) -> FlowState:
    """The state before anything was observed."""
    return FlowState(node=spec.start)


def greeting(spec: FlowSpec, values: Mapping[str, Json]) -> str | None:
    """What the flow says until its first question or call; None where it says nothing."""
    walk = _Walk(spec=spec, given=values, slots={}, path=[], said=[])
    _enter(walk, spec.start)
    return "\n".join(walk.said) or None


def greeting_options(spec: FlowSpec, values: Mapping[str, Json]) -> tuple[str, ...]:
    """The choices that the greeting offers."""
    walk = _Walk(spec=spec, given=values, slots={}, path=[], said=[])
    stopped = _enter(walk, spec.start)
    return () if stopped.control is not None else _options(_ask_at(spec, stopped.node))


def step(spec: FlowSpec, state: FlowState, observation: Observation, scene: Scene) -> tuple[FlowState, Decision]:
    """The next state and decision: a tool to call, or the result. An ended flow stays ended, and silent.

    Raises ValueError for a model's answer: a flow never asks a model.
    """
    if state.ended is not None:
        return state, Finish(replies=(), place=state.node, control=End(reason=state.ended))
    today = variables.today(scene.now, spec.timezone)
    walk = _Walk(
        spec=spec, given=scene.variables, slots=dict(state.slots), path=[], said=[], today=today, now=scene.now
    )
    match observation:
        case Began(by_contact=True):
            return replace(state, node=spec.start, phase="idle"), Finish(
                replies=(), place=spec.start, path=(spec.start,)
            )
        case Began(opening=None):
            return _finish(walk, state, _enter(walk, spec.start))
        case Began():
            # The opening stands in place of all that the flow would have said up to its first question.
            stopped = _enter(walk, spec.start)
            walk.said.clear()
            return _finish(walk, state, stopped)
        case Heard(texts=texts, unread=unread) if unread and state.phase == "waiting" and not _interrupts(walk, texts):
            return state, _say_again(walk, state, unread)
        case Heard(texts=texts, payloads=payloads):
            after, decision = _hear(walk, state, texts, payloads)
            if not isinstance(decision, Finish) or decision.replies or decision.control or decision.speaks_up:
                return after, decision
            if all(map(beside.is_reaction, texts)):
                return after, decision
            return _finish(
                walk, state, _give_up(walk, decision.place, f"The flow has nothing to say at '{decision.place}'.")
            )
        case Silent():
            return _finish(walk, state, _go_on(walk, state))
        case ToolReturned():
            walk.said, walk.path, walk.calls = [*state.said], [*state.path], state.calls
            _take(walk, observation)
            return _finish(walk, state, _onward(walk, state.node))
        case ModelAnswered() | ModelFailed() | Searched():
            raise ValueError("a flow asks no model")
        case _ as never:
            assert_never(never)


def _interrupts(walk: _Walk, texts: tuple[str, ...]) -> bool:
    heard = "\n".join(map(beside.written, texts))
    return any(answers.says(heard, phrase.phrases) for phrase in walk.spec.globals)


def _say_again(walk: _Walk, state: FlowState, unread: Iterable[str]) -> Finish:
    """What the contact has not read is said now: nothing that they wrote since can be an answer to it."""
    ask = _ask_at(walk.spec, state.node)
    return Finish(
        replies=_replies(unread), place=state.node, path=(state.node,), expects=_expects(ask), options=_options(ask)
    )


class _Stopped(Struct, frozen=True, kw_only=True):
    """Where a turn came to rest: in a question (no control), in a call, or with what ends the agent's part."""

    node: str
    control: End | HandOver | None = None
    need: NeedTool | None = None


def _hear(
    walk: _Walk, state: FlowState, texts: tuple[str, ...], payloads: tuple[str, ...]
) -> tuple[FlowState, Decision]:
    waiting = state.phase == "waiting"
    node = state.node if waiting else _first_question(walk)
    asked = walk.spec.nodes.get(node)
    tapped = None if asked is None or asked.ask is None else answers.tapped(asked.ask, payloads)
    heard = "\n".join(map(beside.written, texts))
    for phrase in walk.spec.globals:
        if tapped is None and answers.says(heard, phrase.phrases):
            return _interrupt(walk, state, node if waiting else walk.spec.start, phrase)
    if state.phase == "waiting" and waits_at(walk.spec, state.node):
        return _finish(walk, state, _onward(walk, state.node))
    if asked is None or asked.ask is None:
        return _finish(walk, state, _enter(walk, walk.spec.start))
    value = (
        tapped
        if tapped is not None
        else answers.understand(asked.ask, texts, walk.spec.language, payloads, today=walk.today)
    )
    if value is None and waiting and all(map(beside.is_reaction, texts)):
        return state, Finish(replies=(), place=node, path=(node,), expects=_expects(asked.ask))  # it asks for nothing
    if value is not None:
        walk.slots[asked.ask.slot] = value
        walk.path.append(node)
        return _finish(walk, state, _onward(walk, node))
    if not waiting:
        return _finish(walk, state, _enter(walk, walk.spec.start))
    return _ask_again(walk, state, node, asked, asked.ask, unheard=any(map(beside.is_unheard, texts)))


def _first_question(walk: _Walk) -> str:
    """The node whose question a contact answers who speaks first: the one the start leads to."""
    scout = _Walk(spec=walk.spec, given=walk.given, slots=walk.slots, path=[], said=[])
    return _enter(scout, walk.spec.start).node


def _interrupt(walk: _Walk, state: FlowState, node: str, phrase: GlobalPhrase) -> tuple[FlowState, Decision]:
    """What a global phrase does: tell a colleague, go elsewhere, or answer and return to the open question."""
    walk.say(phrase.say)
    if phrase.hand_over is not None:
        if not walk.said:
            walk.say(walk.spec.hand_over_message)
        walk.path.append(node)
        return _finish(walk, state, _Stopped(node=node, control=HandOver(note=walk.fill(phrase.hand_over))))
    if phrase.goto is not None:
        return _finish(walk, state, _enter(walk, phrase.goto))
    ask = _ask_at(walk.spec, node)
    if state.phase != "waiting" or ask is None:
        return _finish(walk, state, _enter(walk, node))
    walk.path.append(node)
    walk.say(ask.reask or walk.spec.nodes[node].say)
    return _finish(walk, state, _Stopped(node=node), tries=state.tries)


def _ask_again(
    walk: _Walk, state: FlowState, name: str, node: Node, ask: Ask, *, unheard: bool
) -> tuple[FlowState, Decision]:
    walk.path.append(name)
    if state.tries >= ask.retries:
        return _finish(walk, state, _give_up(walk, name, f"Not understood {state.tries + 1} times at '{name}'."))
    if unheard:
        walk.say(f"{beside.cannot_hear(walk.spec.language)} {ask.reask or node.say or ''}")
    elif ask.reask:
        walk.say(ask.reask)
    else:
        walk.say(f"{walk.spec.not_understood} {node.say or ''}")
    return _finish(walk, state, _Stopped(node=name), tries=state.tries + 1)


def _enter(walk: _Walk, name: str) -> _Stopped:
    """Go to a node and on from there until something is asked or the agent's part is over."""
    for _ in range(MOST_NODES):
        node = walk.spec.nodes.get(name)
        walk.path.append(name)
        if node is None:
            return _give_up(walk, name, f"The flow has no node '{name}'.")
        walk.say(node.say)
        if node.ask is not None:
            if not walk.said:  # a question without a text would leave the contact in silence
                walk.say(node.ask.reask or walk.spec.not_understood)
            return _Stopped(node=name)
        if node.call is not None and (stopped := _call(walk, name, node.call)) is not None:
            return stopped
        if node.wait is not None:
            return _Stopped(node=name)
        following = _leave(walk, name, node)
        if isinstance(following, _Stopped):
            return following
        name = following
    return _give_up(walk, name, f"The flow passed {MOST_NODES} nodes without asking anything.")


def _go_on(walk: _Walk, state: FlowState) -> _Stopped:
    """Where silence leads; where it leads nowhere, the flow stays."""
    following = target(walk.spec.nodes.get(state.node))
    if state.phase == "waiting" and waits_at(walk.spec, state.node):
        return _onward(walk, state.node)
    return _Stopped(node=state.node) if following is None or state.phase != "waiting" else _enter(walk, following)


def _call(walk: _Walk, name: str, call: Call) -> _Stopped | None:
    """Stop for the call of a tool; None where it cannot be made, which is then its outcome."""
    tool = tools.find(walk.spec, call.tool)
    if not isinstance(tool, HttpTool):
        return _give_up(walk, name, f"The flow calls '{call.tool}', which is no tool of its.")
    if walk.calls >= MOST_CALLS:
        return _give_up(walk, name, f"The flow called tools {MOST_CALLS} times without asking anything.")
    walk.calls += 1
    values = tools.values_of(walk.given, walk.slots)
    try:
        request = tools.prepare(tool, tools.from_flow(tool, call.arguments, values), values)
    except tools.BadCallError as wrong:
        _take(walk, tools.failed(tool.name, str(wrong)))
        return None
    need = NeedTool(tool=tool.name, request=request, changes=tool.changes, timeout_seconds=tool.timeout_seconds)
    return _Stopped(node=name, need=need)


def _take(walk: _Walk, told: ToolReturned) -> None:
    """Keep what a call gave; what an earlier call of the same tool gave is over."""
    walk.told = told
    tool = tools.find(walk.spec, told.tool)
    for slot in tool.save if isinstance(tool, HttpTool) else ():
        walk.slots.pop(slot, None)
    walk.slots.update(told.saved)


def _onward(walk: _Walk, name: str) -> _Stopped:
    """Go on from a node whose question was answered, or whose tool was called."""
    following = _leave(walk, name, walk.spec.nodes[name])
    return following if isinstance(following, _Stopped) else _enter(walk, following)


def _leave(walk: _Walk, name: str, node: Node) -> str | _Stopped:
    for branch in node.then or ():
        if branch.when is None or conditions.holds(branch.when, walk.values):
            return branch.goto
    if node.goto is not None:
        return node.goto
    if node.end is not None:
        return _Stopped(node=name, control=End(reason=EndReason(node.end)))
    if node.hand_over is not None:
        if not walk.said:
            walk.say(walk.spec.hand_over_message)
        return _Stopped(node=name, control=HandOver(note=walk.fill(node.hand_over)))
    return _give_up(walk, name, f"The flow does not say what follows '{name}'.")


def _give_up(walk: _Walk, name: str, note: str) -> _Stopped:
    walk.say(walk.spec.hand_over_message)
    return _Stopped(node=name, control=HandOver(note=note))


def _finish(walk: _Walk, state: FlowState, stopped: _Stopped, *, tries: int = 0) -> tuple[FlowState, Decision]:
    if stopped.need is not None:
        said, path = tuple(walk.said), tuple(walk.path)
        calling = FlowState(node=stopped.node, phase="calling", slots=walk.slots, said=said, path=path)
        return replace(calling, calls=walk.calls), stopped.need
    ask = _ask_at(walk.spec, stopped.node)
    after = FlowState(node=stopped.node, phase="waiting", tries=tries, slots=walk.slots)
    match stopped.control:
        case End(reason=reason):
            after = replace(after, phase="idle", ended=reason)
        case HandOver():
            # A colleague may give the conversation back: then the open question stands, or the flow starts anew.
            asked = ask is not None and state.phase == "waiting"
            after = replace(after, phase="waiting" if asked else "idle", tries=0)
        case None:
            pass
        case _ as never:
            assert_never(never)
    open_question = ask if after.phase == "waiting" else None
    return after, Finish(
        replies=_replies(walk.said),
        place=stopped.node,
        path=tuple(walk.path),
        control=stopped.control,
        expects=_expects(open_question),
        options=_options(open_question),
        speaks_up=wish(walk.spec, stopped.node, walk.now) if walk.now and after.phase == "waiting" else None,
    )


def _expects(ask: Ask | None) -> Literal["anything", "choice"]:
    return "choice" if ask is not None and ask.type in {"yes_no", "choice"} else "anything"


def _options(ask: Ask | None) -> tuple[str, ...]:
    return tuple(answers.forms_of(ask)) if ask is not None and ask.type == "choice" and ask.offer else ()


def _ask_at(spec: FlowSpec, name: str) -> Ask | None:
    node = spec.nodes.get(name)
    return node.ask if node is not None else None


def _replies(said: Iterable[str]) -> tuple[str, ...]:
    *first, last = [*said] or [""]
    if len(first) >= MOST_REPLIES:
        first = ["\n".join(first)]
    return tuple(text for text in (*first, last) if text)
