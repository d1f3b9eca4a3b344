"""Where the boxes of a drawn graph stand: in rows, from where it starts downwards, with few crossings.

The known way in four steps (Sugiyama): ways back are turned round, rows are given by the longest way to a box, ways
over several rows get a place in each, boxes are ordered by where their neighbours stand, and then moved beneath them.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from statistics import fmean
from typing import Final, TypeAlias

from msgspec import Struct

ROW_GAP: Final = 88.0
BOX_GAP: Final = 36.0
_LANE: Final = 14.0  # what a way needs where it passes a row
_SWEEPS: Final = 12  # orders settle after a few; more would only cost time

Way: TypeAlias = tuple[str, str]


class Box(Struct, frozen=True, kw_only=True):
    """A rectangle: its upper left corner and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float


class Layout(Struct, frozen=True, kw_only=True):
    """Where everything stands: boxes by name, and the points that a way over several rows passes through.

    `back` are the ways that lead up again or stay where they are.
    """

    boxes: dict[str, Box]
    bends: dict[Way, list[tuple[float, float]]]
    back: frozenset[Way]
    width: float
    height: float


def lay_out(sizes: Mapping[str, tuple[float, float]], ways: Sequence[Way]) -> Layout:
    """Place boxes of a (width, height) by name, the first of them on top; ways to unknown names are left out."""
    ways = list(dict.fromkeys(way for way in ways if way[0] in sizes and way[1] in sizes))
    back = _ways_back(list(sizes), ways)
    down = [way for way in ways if way not in back]
    rank = _ranks(list(sizes), down)
    lanes: dict[Way, list[str]] = {}
    rows: list[list[str]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for name in sizes:
        rows[rank[name]].append(name)
    links: list[Way] = []
    for way in down:
        passed = [f"\0{way[0]}\0{way[1]}\0{row}" for row in range(rank[way[0]] + 1, rank[way[1]])]
        lanes[way] = passed
        for row, lane in enumerate(passed, rank[way[0]] + 1):
            rows[row].append(lane)
        stops = [way[0], *passed, way[1]]
        links += pairwise(stops)
    size = {**dict.fromkeys(chain.from_iterable(lanes.values()), (_LANE, 0.0)), **sizes}
    _order(rows, links)
    x = _across(rows, links, size)
    y, height = _down(rows, size)
    left = min((x[name] - size[name][0] / 2 for name in x), default=0.0)
    boxes = {name: Box(x=x[name] - w / 2 - left, y=y[rank[name]], width=w, height=h) for name, (w, h) in sizes.items()}
    middles = [top + max((size[name][1] for name in row), default=0.0) / 2 for top, row in zip(y, rows, strict=True)]
    bends = {
        way: [(x[lane] - left, middles[row]) for row, lane in enumerate(passed, rank[way[0]] + 1)]
        for way, passed in lanes.items()
    }
    width = max((x[name] + size[name][0] / 2 for name in x), default=0.0) - left
    return Layout(boxes=boxes, bends=bends, back=frozenset(back), width=width, height=height)


def _ways_back(names: Sequence[str], ways: Sequence[Way]) -> set[Way]:
    """The ways that close a circle, as a walk from the first box finds them."""
    following: dict[str, list[str]] = {name: [] for name in names}
    for start, end in ways:
        following[start].append(end)
    back: set[Way] = set()
    state: dict[str, str] = {}
    for first in names:
        trail = [] if first in state else [(first, iter(following[first]))]
        state.setdefault(first, "open")
        while trail:
            name, left = trail[-1]
            target = next(left, None)
            if target is None:
                state[name] = "done"
                trail.pop()
            elif state.get(target) == "open":
                back.add((name, target))
            elif target not in state:
                state[target] = "open"
                trail.append((target, iter(following[target])))
    return back


def _ranks(names: Sequence[str], down: Sequence[Way]) -> dict[str, int]:
    rank = dict.fromkeys(names, 0)
    waiting = {name: sum(end == name for _, end in down) for name in names}
    ready = [name for name in names if not waiting[name]]
    for name in ready:
        for start, end in down:
            if start == name:
                rank[end] = max(rank[end], rank[name] + 1)
                waiting[end] -= 1
                if not waiting[end]:
                    ready.append(end)
    return rank


def _order(rows: list[list[str]], links: Sequence[Way]) -> None:
    """Order each row by where its neighbours in the row before stand, downwards and upwards in turn."""
    above, below = _neighbours(links)
    for sweep in range(_SWEEPS):
        beside, order = (above, rows[1:]) if sweep % 2 == 0 else (below, rows[-2::-1])
        place = {name: n for row in rows for n, name in enumerate(row)}
        for row in order:
            wish = {name: fmean([place[other] for other in beside.get(name, [name])]) for name in row}
            row.sort(key=lambda name, wish=wish: wish[name])  # type: ignore[misc]
            place.update({name: n for n, name in enumerate(row)})


def _across(
    rows: Sequence[Sequence[str]], links: Sequence[Way], size: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """The middles of the boxes: near the mean of their neighbours', as far as those beside them leave room."""
    above, below = _neighbours(links)
    x: dict[str, float] = {}
    for row in rows:
        _set_apart(row, dict.fromkeys(row, 0.0), size, x)
    for sweep in range(_SWEEPS):
        beside, order = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        for row in order:
            wish = {name: fmean([x[other] for other in beside.get(name, [name])]) for name in row}
            _set_apart(row, wish, size, x)
    return x


def _set_apart(
    row: Sequence[str], wish: Mapping[str, float], size: Mapping[str, tuple[float, float]], x: dict[str, float]
) -> None:
    """Give a row's boxes their wish as far as it goes: those that would overlap become a group about its mean."""
    groups: list[tuple[list[str], list[float]]] = []  # names, and for each the place that the first would have
    for name in row:
        groups.append(([name], [wish[name]]))
        while len(groups) > 1:
            (before, wishes), (after, more) = groups[-2:]
            reach = fmean(wishes) + _offset([*before, after[0]], size)
            if fmean(more) >= reach:
                break
            shift = _offset([*before, after[0]], size)
            groups[-2:] = [([*before, *after], [*wishes, *(one - shift for one in more)])]
    for names, wishes in groups:
        at = fmean(wishes)
        for n, name in enumerate(names):
            x[name] = at + _offset(names[: n + 1], size)


def _offset(names: Sequence[str], size: Mapping[str, tuple[float, float]]) -> float:
    """How far the middle of the last is from that of the first, standing side by side."""
    return sum((size[one][0] + size[other][0]) / 2 + BOX_GAP for one, other in pairwise(names))


def _down(rows: Sequence[Sequence[str]], size: Mapping[str, tuple[float, float]]) -> tuple[list[float], float]:
    tops, y = [], 0.0
    for row in rows:
        tops.append(y)
        y += max((size[name][1] for name in row), default=0.0) + ROW_GAP
    return tops, max(0.0, y - ROW_GAP)


def _neighbours(links: Sequence[Way]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for start, end in links:
        above.setdefault(end, []).append(start)
        below.setdefault(start, []).append(end)
    return above, below
