"""A flow drawn: an SVG picture of its nodes, what they say and ask, and the ways between them.

The picture needs nothing beside itself: no script, no font, no other file. It follows the reader's light or dark.
"""

import itertools
import textwrap
import unicodedata
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from overture.agents import answers, layout
from overture.agents.layout import Box, Layout
from overture.domain.agent import Ask, FlowSpec, GlobalPhrase, Node

_WIDTH: Final = 236.0
_LINE: Final = 17.0
_PAD: Final = 10.0
_LETTERS: Final = 34  # of the text's size in a box's width, on average
_MOST_LINES: Final = 5
_MARGIN: Final = 24.0
_KINDS: Final = {
    "text": "any text",
    "yes_no": "yes or no",
    "number": "a number",
    "date": "a day",
    "time": "a time of day",
    "datetime": "a day and a time",
    "phone": "a phone number",
    "email": "an e-mail address",
    "pattern": "what fits a pattern",
}
_STYLE: Final = """
text{font:12px system-ui,sans-serif;fill:#1c2733}.name{font-weight:700}.ask{fill:#0b5c8f}.end{fill:#5b6673}
.why{font-size:11px;fill:#44505c;paint-order:stroke;stroke:#fff;stroke-width:4px}
.box{fill:#fff;stroke:#8a97a5}.asks{fill:#eef6fc;stroke:#2b7fb8}.ends{fill:#f2f4f6}.hands{fill:#fff4e0;stroke:#c98a1b}
.start{stroke-width:2.5}.missing{fill:#fdecea;stroke:#c0392b}path{fill:none;stroke:#5b6673;stroke-width:1.4}
.back{stroke-dasharray:5 4}marker path{fill:#5b6673;stroke:none}.ground{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ask{fill:#7cc4f5}.end{fill:#a9b4bf}.ground{fill:#11161c}
.why{fill:#b9c4cf;stroke:#11161c}.box{fill:#1a222b;stroke:#66727e}.asks{fill:#14293a;stroke:#4ea3dc}
.ends{fill:#202831}.hands{fill:#33290f;stroke:#d9a23b}.missing{fill:#3a1a17;stroke:#e06a5c}
path{stroke:#93a0ad}marker path{fill:#93a0ad}}
""".replace("\n", "")


class _Line(Struct, frozen=True):
    text: str
    kind: str


class _Way(Struct, frozen=True):
    start: str
    end: str
    why: str


def draw(spec: FlowSpec) -> str:
    """The picture of a flow, as the text of an SVG file. A way to a node that is not there is drawn, in red."""
    ways = [way for name, node in spec.nodes.items() for way in _ways(name, node)]
    ways += [_Way("", phrase.goto, _phrases(phrase)) for phrase in spec.globals if phrase.goto is not None]
    inside = {name: _lines(name, node) for name, node in _from_start(spec)}
    for way in ways:
        inside.setdefault(way.end, [_Line(way.end, "name"), _Line("There is no such node.", "end")])
    if spec.globals:
        inside[""] = _anywhere(spec)
    sizes = {name: (_WIDTH, 2 * _PAD + _LINE * len(lines)) for name, lines in inside.items()}
    placed = layout.lay_out(sizes, [(way.start, way.end) for way in ways])
    lanes = sum(way in placed.back for way in dict.fromkeys((way.start, way.end) for way in ways))
    width, height = placed.width + 2 * _MARGIN + 16 * lanes + (40 if lanes else 0), placed.height + 2 * _MARGIN
    title = escape(_cut(_plain(f"{spec.name}: the flow"), 100))
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" role="img" aria-label={quoteattr(_cut(_plain(spec.name), 100))}>'
        ),
        f"<title>{title}</title><style>{_STYLE}</style>",
        (
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z"/></marker></defs>'
        ),
        f'<rect class="ground" width="{width:.0f}" height="{height:.0f}"/>',
        f'<g transform="translate({_MARGIN:.0f} {_MARGIN:.0f})">',
        *_draw_ways(ways, placed),
        *(_draw_box(spec, name, lines, placed.boxes[name]) for name, lines in inside.items()),
        "</g></svg>\n",
    ]
    return "\n".join(parts)


def _from_start(spec: FlowSpec) -> list[tuple[str, Node]]:
    """The nodes as they are written, the start before all: it stands on top."""
    return sorted(spec.nodes.items(), key=lambda item: item[0] != spec.start)


def _ways(name: str, node: Node) -> list[_Way]:
    ways = [
        _Way(name, branch.goto, "else" if branch.when is None else branch.when.replace(" == ", " = "))
        for branch in node.then or ()
    ]
    if node.goto is not None:
        ways.append(_Way(name, node.goto, "else" if ways else ""))
    if node.search is not None:
        learned = (("found", node.search.found), ("not found", node.search.missing))
        ways += [_Way(name, goto, why) for why, goto in learned if goto is not None]
    if node.prompt is not None and node.prompt.failed is not None:
        ways.append(_Way(name, node.prompt.failed, "no answer"))
    if node.after is not None:
        ways.append(_Way(name, node.after.goto, f"silent for {node.after.silence}"))
    return ways


def _lines(name: str, node: Node) -> list[_Line]:
    lines = [_Line(_cut(name), "name")]
    lines += [_Line(text, "say") for text in _wrapped(node.say or "")]
    if node.ask is not None:
        lines += [_Line(text, "ask") for text in _wrapped(_asked(node.ask), most=2)]
    lines += [_Line(text, "ask") for asked in _asking(node) for text in _wrapped(asked, most=2)]
    if node.wait is not None:
        lines.append(_Line(f"◷ waits {node.wait.length}", "end"))
    if node.end is not None:
        lines.append(_Line(f"■ ends: {node.end}", "end"))
    if node.hand_over is not None:
        lines += [_Line(text, "end") for text in _wrapped(f"☎ hands over: {node.hand_over}", most=2)]
    return lines


def _asked(ask: Ask) -> str:
    if ask.type == "choice":
        return f"? {ask.slot}: {' · '.join(answers.forms_of(ask))}"
    return f"? {ask.slot}: {_KINDS[ask.type]}"


def _asking(node: Node) -> list[str]:
    """What a node asks of others than the contact."""
    asked = [] if node.call is None else [f"⇄ calls {node.call.tool}"]
    if node.search is not None:
        kept = "says it" if node.search.slot is None else f"keeps {node.search.slot}"
        asked.append(f"⌕ looks in {', '.join(node.search.bases)}, {kept}")
    if node.prompt is not None:
        kept = "says it" if node.prompt.slot is None else f"keeps {node.prompt.slot}"
        asked.append(f"✦ asks a model, {kept}: {node.prompt.instructions}")
    return asked


def _anywhere(spec: FlowSpec) -> list[_Line]:
    lines = [_Line("anywhere", "name")]
    for phrase in spec.globals:
        lines += [_Line(text, "say") for text in _wrapped(_phrases(phrase), most=2)]
        if phrase.say is not None:
            lines += [_Line(text, "end") for text in _wrapped(f"→ {phrase.say}", most=2)]
        if phrase.hand_over is not None:
            lines.append(_Line("☎ hands over", "end"))
    return lines


def _phrases(phrase: GlobalPhrase) -> str:
    return ", ".join(f"“{spoken}”" for spoken in phrase.phrases)


def _draw_box(spec: FlowSpec, name: str, lines: list[_Line], box: Box) -> str:
    node = spec.nodes.get(name)
    kind = "box"
    if name and node is None:
        kind += " missing"
    elif node is not None:
        asks, hands = node.ask is not None, node.hand_over is not None
        kind += " hands" if hands else " asks" if asks else " ends" if node.end is not None else ""
        kind += " start" if name == spec.start else ""
    rows = "".join(
        f'<text class="{line.kind}" x="{box.x + _PAD:.1f}" y="{box.y + _PAD + _LINE * (n + 0.75):.1f}">'
        f"{escape(_plain(line.text))}</text>"
        for n, line in enumerate(lines)
    )
    return (
        f'<g><rect class="{kind}" rx="8" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}"/>{rows}</g>'
    )


def _draw_ways(ways: list[_Way], placed: Layout) -> list[str]:
    whys: dict[tuple[str, str], list[str]] = {}
    for way in ways:
        whys.setdefault((way.start, way.end), []).extend([way.why] if way.why else [])
    leaving: dict[str, list[str]] = {}
    for start, end in sorted(whys, key=lambda way: placed.boxes[way[1]].x):
        leaving.setdefault(start, []).append(end)
    drawn, lane = [], 0
    for (start, end), why in whys.items():
        here, there = placed.boxes[start], placed.boxes[end]
        part = (leaving[start].index(end) + 1) / (len(leaving[start]) + 1)
        if (start, end) in placed.back:
            lane += 1
            side = placed.width + 16 * lane
            y, top = here.y + here.height / 2, there.y + there.height / 2
            path = (
                f"M{here.x + here.width:.1f} {y:.1f}"
                f"C{side:.1f} {y:.1f} {side:.1f} {y:.1f} {side:.1f} {(y + top) / 2:.1f}"
                f"C{side:.1f} {top:.1f} {side:.1f} {top:.1f} {there.x + there.width:.1f} {top:.1f}"
            )
            at, kind = (here.x + here.width + 8, y - 6), "back"
        else:
            stops = [(here.x + here.width * part, here.y + here.height), *placed.bends.get((start, end), [])]
            stops.append((there.x + there.width / 2, there.y))
            path = _curve(stops)
            (x, y), (to_x, _) = stops[0], stops[1]
            nth = leaving[start].index(end) % 4  # labels side by side would cover each other
            at, kind = (x + (to_x - x) * (0.02 + 0.06 * nth) + 5, y + 16 + 14 * nth), "way"
        label = _cut("; ".join(why), 34)
        drawn.append(f'<path class="{kind}" d="{path}" marker-end="url(#tip)"/>')
        if label:
            drawn.append(f'<text class="why" x="{at[0]:.1f}" y="{at[1]:.1f}">{escape(_plain(label))}</text>')
    return drawn


def _curve(stops: list[tuple[float, float]]) -> str:
    """A line through points that leaves and enters each upright."""
    path = f"M{stops[0][0]:.1f} {stops[0][1]:.1f}"
    for (x, y), (to_x, to_y) in itertools.pairwise(stops):
        half = (y + to_y) / 2
        path += f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}"
    return path


def _wrapped(text: str, most: int = _MOST_LINES) -> list[str]:
    return textwrap.wrap(_plain(text), _LETTERS, max_lines=most, placeholder=" …", break_long_words=True)


def _cut(text: str, letters: int = _LETTERS - 2) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _plain(text: str) -> str:
    """A text on one line without what XML or a reader's eye cannot take: control characters and turned directions."""
    return "".join(" " if unicodedata.category(one) in {"Cc", "Cs", "Cf", "Zl", "Zp"} else one for one in text)
