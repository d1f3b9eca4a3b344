"""The flow engine: an agent that needs no model.

A flow is a graph of nodes. Entering a node says its text, then waits in its question, or calls a tool, looks something
up or asks a model, or goes on: the first branch that holds, else `goto`, else it ends, else it hands over. Pure: `step`
takes a state and an observation and gives the next state and what to say, and a state is all that has to be kept
between two messages.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, Literal, assert_never

from msgspec import Struct
from msgspec.structs import replace

from overture.agents import answers, beside, conditions, details, tools, variables
from overture.agents.kinds import asking, call_node
from overture.agents.kinds.flow_replies import expects, options, replies
from overture.agents.kinds.learned import Learned
from overture.agents.kinds.waiting import target, waits_at, wish
from overture.domain.agent import Ask, Call, EndReason, FlowSpec, GlobalPhrase, Json, Node
from overture.domain.tool import MOST_CALLS
from overture.domain.turn import (
    Began,
    Decision,
    End,
    Finish,
    HandOver,
    Heard,
    ModelAnswered,
    ModelFailed,
    NeedModel,
    NeedSearch,
    NeedTool,
    Observation,
    Scene,
    Searched,
    Silent,
    ToolReturned,
)

MOST_NODES: Final = 50  # passed in one turn; a flow that needs more goes round in a circle


class FlowState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a flow stands.

    `waiting`: the node's question is open, asked again `tries` times. `idle`: nothing is open, and the next message is
    read as the first answer to the start's question (the contact began, or a colleague gave the conversation back).
    `calling`, within a turn: what the node needs from outside is awaited; `said`, `path`, `calls`, `heard` and what its
    last call `told` are the turn's until then.
    """

    node: str
    phase: Literal["new", "idle", "waiting", "calling"] = "new"
    tries: int = 0
    slots: dict[str, answers.Value] = {}
    ended: EndReason | None = None
    said: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    calls: int = 0
    heard: tuple[str, ...] = ()
    told: ToolReturned | None = None


class _Walk(Struct, kw_only=True):
    """What one turn gathers while it passes through nodes."""

    spec: FlowSpec
    given: Mapping[str, Json]
    slots: dict[str, answers.Value]
    path: list[str]
    said: list[str]
    scene: Scene | None = None
    today: date = date.min
    heard: tuple[str, ...] = ()
    calls: int = 0
    told: ToolReturned | None = None

    def resume(self, state: FlowState) -> None:
        """Go on with a turn that waited for something."""
        self.said, self.path, self.calls = [*state.said], [*state.path], state.calls
        self.heard, self.told = state.heard, state.told

    @property
    def values(self) -> dict[str, Json]:
        """Every value by its name; those of the last call in this turn by `tool.ok` and its like."""
        told = {f"tool.{name}": getattr(self.told, name) for name in conditions.OF_TOOLS} if self.told else {}
        return {**self.given, **self.slots, **told}

    @property
    def shown(self) -> dict[str, Json]:
        """The values as texts show them."""
        return details.told(self.spec, self.values)

    def fill(self, text: str) -> str:
        return variables.fill_message(text, self.shown, known_names(self.spec)).strip()

    def say(self, text: str | None) -> None:
        filled = self.fill(text or "")
        if filled:
            self.said.append(filled)


def known_names(spec: FlowSpec) -> frozenset[str]:
    """Every name that the texts of a flow may use: declared, asked for, kept by a node or a tool, or the system's."""
    asked = (node.ask.slot for node in spec.nodes.values() if node.ask)
    learned = map(asking.kept_by, spec.nodes.values())
    return variables.SYSTEM.union(spec.variables, asked, *learned, tools.slots(spec))


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
    return () if stopped.control is not None else options(_ask_at(spec, stopped.node))


def step(spec: FlowSpec, state: FlowState, observation: Observation, scene: Scene) -> tuple[FlowState, Decision]:
    """The next state and decision: what is needed from outside, or the result. An ended flow stays ended, and silent.

    Raises ValueError for what no node of the flow asked for.
    """
    if state.ended is not None:
        return state, Finish(replies=(), place=state.node, control=End(reason=state.ended))
    today = variables.today(scene.now, spec.timezone)
    walk = _Walk(spec=spec, given=scene.variables, slots=dict(state.slots), path=[], said=[], scene=scene, today=today)
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
            walk.resume(state)
            _take(walk, observation)
            return _finish(walk, state, _onward(walk, state.node))
        case ModelAnswered() | ModelFailed() | Searched():
            walk.resume(state)
            learned = asking.learn(spec, state.node, observation, scene=scene, known=known_names(spec))
            return _finish(walk, state, _learn(walk, state.node, learned))
        case _ as never:
            assert_never(never)


def _interrupts(walk: _Walk, texts: tuple[str, ...]) -> bool:
    heard = "\n".join(map(beside.written, texts))
    return any(answers.says(heard, phrase.phrases) for phrase in walk.spec.globals)


def _say_again(walk: _Walk, state: FlowState, unread: Iterable[str]) -> Finish:
    """What the contact has not read is said now: nothing that they wrote since can be an answer to it."""
    ask = _ask_at(walk.spec, state.node)
    return Finish(
        replies=replies(unread), place=state.node, path=(state.node,), expects=expects(ask), options=options(ask)
    )


class _Stopped(Struct, frozen=True, kw_only=True):
    """Where a turn came to rest: in a question (no control), in a need, or with what ends the agent's part."""

    node: str
    control: End | HandOver | None = None
    need: NeedTool | NeedSearch | NeedModel | None = None


def _hear(
    walk: _Walk, state: FlowState, texts: tuple[str, ...], payloads: tuple[str, ...]
) -> tuple[FlowState, Decision]:
    walk.heard = texts
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
        return state, Finish(replies=(), place=node, path=(node,), expects=expects(asked.ask))  # it asks for nothing
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
        if (stopped := _need(walk, name, node)) is not None:
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


def _need(walk: _Walk, name: str, node: Node) -> _Stopped | None:
    """Stop for what a node needs from outside; None where it needs nothing, or where a call cannot be made."""
    if node.call is None and not asking.asks(node):
        return None
    if walk.calls >= MOST_CALLS:
        return _give_up(walk, name, f"The flow asked tools and models {MOST_CALLS} times without asking the contact.")
    walk.calls += 1
    if node.call is not None:
        return _call(walk, name, node.call)
    if walk.scene is None:  # only where it stops is looked for
        return _Stopped(node=name)
    need = asking.need(walk.spec, node, scene=walk.scene, values=walk.shown, heard=walk.heard)
    return _Stopped(node=name, need=need)


def _learn(walk: _Walk, name: str, learned: Learned) -> _Stopped:
    """Go on with what was found, or what a model answered."""
    walk.said += filter(None, [learned.said])
    walk.say(learned.text)
    if learned.slot is not None:
        walk.slots.pop(learned.slot, None)
        walk.slots.update({} if learned.value is None else {learned.slot: learned.value})
    if learned.gives_up is not None:
        return _Stopped(node=name, control=HandOver(note=learned.gives_up))
    return _onward(walk, name) if learned.goto is None else _enter(walk, learned.goto)


def _call(walk: _Walk, name: str, call: Call) -> _Stopped | None:
    """Stop for the call of a tool; None where it cannot be made, which is then its outcome."""
    need = call_node.need(walk.spec, call, walk.given, walk.slots)
    if need is None:
        return _give_up(walk, name, f"The flow calls '{call.tool}', which is no tool of its.")
    if isinstance(need, NeedTool):
        return _Stopped(node=name, need=need)
    _take(walk, need)
    return None


def _take(walk: _Walk, told: ToolReturned) -> None:
    walk.told = told
    call_node.keep(walk.spec, told, walk.slots)


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
        return replace(calling, calls=walk.calls, heard=walk.heard, told=walk.told), stopped.need
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
        replies=replies(walk.said),
        place=stopped.node,
        path=tuple(walk.path),
        control=stopped.control,
        expects=expects(open_question),
        options=options(open_question),
        speaks_up=wish(walk.spec, stopped.node, walk.scene.now) if walk.scene and after.phase == "waiting" else None,
    )


def _ask_at(spec: FlowSpec, name: str) -> Ask | None:
    return None if (node := spec.nodes.get(name)) is None else node.ask
