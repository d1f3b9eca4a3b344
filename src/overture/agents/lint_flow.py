"""What a linter sees in a flow: where it leads nowhere, goes in circles, or asks what cannot be answered."""

from collections.abc import Iterator
from typing import Final

from overture.agents import answers, conditions, patterns, variables
from overture.agents.kinds import asking
from overture.agents.kinds.flow import known_names
from overture.agents.lint_asking import early, lint_asking, targets
from overture.agents.lint_texts import Finding, error, lint_message, warning
from overture.agents.lint_tools import early_call, lint_call
from overture.agents.lint_waiting import lint_waiting
from overture.domain import consent
from overture.domain.agent import Ask, FlowSpec, GlobalPhrase, Node

_GOES_ON: Final = "Give it goto, end or hand_over."


def lint_flow(spec: FlowSpec) -> list[Finding]:
    """Everything wrong with a flow's nodes and global phrases, node by node."""
    findings = [] if spec.start in spec.nodes else [_unknown("start", spec.start)]
    for name, node in spec.nodes.items():
        findings += _lint_node(spec, name, node)
    for place, phrase in enumerate(spec.globals):
        findings += _lint_global(spec, f"globals[{place}]", phrase)
    findings += lint_waiting(spec)
    for name in sorted(spec.nodes.keys() - _reachable(spec)):
        findings.append(warning(f"nodes.{name}", "No way leads to this node.", "Point a goto at it, or take it out."))
    findings += [early_call(name) for name in sorted(_unasked(spec)) if spec.nodes[name].call is not None]
    findings += [early(name) for name in sorted(_unasked(spec)) if asking.asks(spec.nodes[name])]
    for name in _silent_loops(spec):
        findings.append(
            error(
                f"nodes.{name}",
                "The flow comes back here without asking anything, for ever.",
                "Put an ask into the circle, or end it.",
            )
        )
    for where in ("not_understood", "hand_over_message"):
        if not getattr(spec, where).strip():
            findings.append(error(where, "It is empty, so the contact would read nothing.", "Write a sentence."))
        findings += lint_message(where, getattr(spec, where), known_names(spec))
    return findings


def _lint_node(spec: FlowSpec, name: str, node: Node) -> Iterator[Finding]:
    where = f"nodes.{name}"
    known = known_names(spec)
    if node.say is not None:
        yield from lint_message(f"{where}.say", node.say, known)
    if node.hand_over is not None:
        for unknown in sorted(set(variables.names_in(node.hand_over)) - known):
            yield error(f"{where}.hand_over", f"'{unknown}' is not declared.", "Declare it or correct the name.")
    if node.ask is not None:
        yield from _lint_ask(spec, where, node, node.ask)
    yield from lint_call(spec, where, node, known)
    yield from lint_asking(spec, where, node, known)
    if any(one.call is not None for one in spec.nodes.values()):
        known |= {f"tool.{name}" for name in conditions.OF_TOOLS}
    for place, branch in enumerate(node.then or ()):
        if branch.goto not in spec.nodes:
            yield _unknown(f"{where}.then[{place}].goto", branch.goto)
        if branch.when is not None:
            yield from _lint_condition(f"{where}.then[{place}].if", branch.when, known)
        elif place < len(node.then or ()) - 1:
            yield warning(
                f"{where}.then[{place}]", "What follows it is never reached: it always holds.", "Put it last."
            )
    if node.goto is not None and node.goto not in spec.nodes:
        yield _unknown(f"{where}.goto", node.goto)
    yield from _lint_ways_on(where, node)


def _lint_ways_on(where: str, node: Node) -> Iterator[Finding]:
    """A node must lead somewhere: a dead end hands the contact over without a reason."""
    closed = node.goto is not None or node.end is not None or node.hand_over is not None
    closed = closed or (node.search is not None and node.search.found is not None)
    if not closed and not node.then:
        after = "after the answer" if node.ask else "here"
        yield error(where, f"The flow stops {after}: the node neither goes on, ends nor hands over.", _GOES_ON)
    elif not closed and all(branch.when is not None for branch in node.then or ()):
        yield warning(f"{where}.then", "Nothing follows when no condition holds; the flow would hand over.", _GOES_ON)
    if node.goto is not None and (node.end is not None or node.hand_over is not None):
        yield warning(f"{where}.goto", "With goto its end or hand_over is never reached.", "Keep one of them.")


def _lint_ask(spec: FlowSpec, where: str, node: Node, ask: Ask) -> Iterator[Finding]:
    if not (node.say or "").strip():
        yield error(f"{where}.ask", "It asks without a question.", "Write the question into the node's say.")
    if ask.slot in variables.SYSTEM:
        yield error(f"{where}.ask.slot", f"'{ask.slot}' is a name of the system.", "Choose another name.")
    if ask.reask is not None:
        yield from lint_message(f"{where}.ask.reask", ask.reask, known_names(spec))
    if ask.min is not None and ask.max is not None and ask.min > ask.max:
        yield error(f"{where}.ask", f"No number is between {ask.min:g} and {ask.max:g}.", "Exchange min and max.")
    if ask.type == "pattern":
        yield from _lint_pattern(f"{where}.ask.pattern", ask)
    if ask.type in ("time", "datetime"):
        yield from _lint_hours(f"{where}.ask", ask)
    if ask.type == "choice":
        yield from _lint_choices(spec, f"{where}.ask.choices", ask)
    elif ask.choices is not None:
        yield error(f"{where}.ask.choices", f"A question of type {ask.type} has no choices.", "Set type: choice.")


def _lint_pattern(where: str, ask: Ask) -> Iterator[Finding]:
    if not ask.pattern:
        yield error(where, "A question of type pattern needs its pattern.", 'Write it like "[A-Z]{2}[0-9]{4}".')
        return
    try:
        patterns.compiled(ask.pattern)
    except ValueError as wrong:
        hint = "It is RE2: no look-around and no back-references."
        yield error(where, f"The pattern cannot be read: {wrong}.", hint)


def _lint_hours(where: str, ask: Ask) -> Iterator[Finding]:
    if ask.earliest > ask.latest:
        yield error(where, f"No time is between {ask.earliest} and {ask.latest}.", "Exchange earliest and latest.")
    elif ask.earliest < "12:00" and ask.latest >= _twelve_hours_after(ask.earliest):
        hint = "Set earliest and latest as your opening hours are: they tell morning from evening."
        yield warning(where, 'Some times mean two times of day, as "at 8" does; they are asked again.', hint)


def _twelve_hours_after(time: str) -> str:
    return f"{int(time[:2]) + 12}{time[2:]}"


def _lint_choices(spec: FlowSpec, where: str, ask: Ask) -> Iterator[Finding]:
    forms = answers.forms_of(ask)
    if len(forms) < 2:
        yield error(where, "There is nothing to choose from.", "List at least two choices.")
    for label in sorted(set(ask.weak) - forms.keys()):
        yield error(where, f"The weak label '{label}' is none of the choices.", "Correct its spelling.")
    owners: dict[answers.Tokens, str] = {}
    for label, spoken in forms.items():
        if consent.reserved_on_sms(label):
            yield error(
                f"{where}.{label}",
                f"On SMS '{label}' never reaches the agent: the carrier or Twilio acts on it.",
                "Use another label; the word may stay among its spoken forms for other channels.",
            )
        if not any(spoken):
            yield error(f"{where}.{label}", "Nobody can say it: it holds no letter and no digit.", "Add a spoken form.")
        for form in dict.fromkeys(filter(None, spoken)):
            said = " ".join(form)
            if owners.setdefault(form, label) != label:
                hint = "Give each choice its own words: a form of two is understood as neither."
                yield error(f"{where}.{label}", f"'{said}' already means '{owners[form]}'.", hint)
            caught = any(answers.says(said, phrase.phrases) for phrase in spec.globals)
            if caught:
                hint = "Choose another word here, or take it out of globals."
                yield warning(f"{where}.{label}", f"'{said}' is caught by a global phrase first.", hint)


def _lint_condition(where: str, condition: str, known: frozenset[str]) -> Iterator[Finding]:
    try:
        names = conditions.names_in(condition)
    except ValueError as problem:
        yield error(
            where, f"The condition cannot be read: {problem}.", 'Write it like: service == "cut" and people <= 4'
        )
        return
    for name in sorted(names - known):
        yield error(where, f"'{name}' is neither a slot nor a variable, so it is never true.", "Correct the name.")


def _lint_global(spec: FlowSpec, where: str, phrase: GlobalPhrase) -> Iterator[Finding]:
    if not any(answers.tokens(spoken) for spoken in phrase.phrases):
        yield error(f"{where}.phrases", "There is nothing to listen for.", "List at least one phrase.")
    for spoken in phrase.phrases:
        if consent.reserved_on_sms(spoken):
            yield warning(
                f"{where}.phrases",
                f"On SMS '{spoken}' never reaches the agent: the carrier or Twilio acts on it.",
                "Let other phrases say the same; it may stay for other channels.",
            )
    if phrase.say is None and phrase.goto is None and phrase.hand_over is None:
        yield error(where, "Nothing follows the phrase.", "Give it say, goto or hand_over.")
    if phrase.goto is not None and phrase.hand_over is not None:
        yield warning(f"{where}.goto", "With hand_over its goto is never reached.", "Keep one of them.")
    if phrase.goto is not None and phrase.goto not in spec.nodes:
        yield _unknown(f"{where}.goto", phrase.goto)
    if phrase.say is not None:
        yield from lint_message(f"{where}.say", phrase.say, known_names(spec))


def _unknown(where: str, target: str) -> Finding:
    return error(where, f"There is no node '{target}'.", "Correct the name, or add the node.")


def _targets(node: Node) -> list[str]:
    """Where a node can lead, following what the engine would read."""
    found = targets(node)
    if node.after is not None:
        found.append(node.after.goto)
    if node.search is not None and node.search.found is not None:
        return found
    for branch in node.then or ():
        found.append(branch.goto)
        if branch.when is None:
            return found
    return found if node.goto is None else [*found, node.goto]


def _reachable(spec: FlowSpec) -> set[str]:
    reached: set[str] = set()
    open_ends = [spec.start, *(phrase.goto for phrase in spec.globals if phrase.goto is not None)]
    while open_ends:
        name = open_ends.pop()
        if name in spec.nodes and name not in reached:
            reached.add(name)
            open_ends += _targets(spec.nodes[name])
    return reached


def _unasked(spec: FlowSpec) -> set[str]:
    """The nodes that a conversation passes before anything was asked."""
    reached: set[str] = set()
    open_ends = [spec.start]
    while open_ends:
        name = open_ends.pop()
        if name in spec.nodes and name not in reached:
            reached.add(name)
            open_ends += _targets(spec.nodes[name]) if spec.nodes[name].ask is None else []
    return reached


def _silent_loops(spec: FlowSpec) -> list[str]:
    """Nodes that come back to themselves over nodes that ask nothing, one for each circle found."""
    silent = {name: _targets(node) for name, node in spec.nodes.items() if node.ask is None}
    done: set[str] = set()
    loops: list[str] = []
    for start, first in silent.items():
        trail = [(start, iter(first))] if start not in done else []
        while trail:
            name, ways = trail[-1]
            target = next((way for way in ways if way in silent and way not in done), None)
            if target is None:
                done.add(name)
                trail.pop()
            elif any(target == passed for passed, _ in trail):
                loops.append(target)
            else:
                trail.append((target, iter(silent[target])))
    return list(dict.fromkeys(loops))
