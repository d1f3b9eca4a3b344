"""The promises, the tests that hold each, and the figures that their last run reached: the source of docs/promises.md.

What is promised stands here. Who holds it is read from the markers (`@pytest.mark.promise("P2")`), and what was
reached from docs/promises.json, which `tests/reaching.py` writes while tests run. `make promises` does it all;
`python -m tests.promises` writes the table anew without running anything.
"""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
TABLE: Final = ROOT / "docs" / "promises.md"
FIGURES: Final = ROOT / "docs" / "promises.json"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A sentence, the figure that it is held to, how it is tried, and what no test tries yet."""

    says: str
    figure: str
    tried: str
    left: str = ""


@dataclass(frozen=True, kw_only=True, order=True)
class Test:
    """A test function, by its file in the repository."""

    file: str
    name: str

    @property
    def key(self) -> str:
        """How the figures name it."""
        return f"{self.file}::{self.name}"


@dataclass(kw_only=True)
class Run:
    """What one test came to when it last ran: `size` is "small" or "full", `reached` its own words."""

    cases: int = 0
    failed: int = 0
    size: str = "small"
    reached: list[str] = field(default_factory=list)


PROMISES: Final = {
    "P1": Promise(
        says="a 2xx means on disk",
        figure="0 lost over kill -9 at every boundary, both databases",
        tried="crash harness",
    ),
    "P2": Promise(
        says="no duplicate at the provider",
        figure="0 while the provider accepts within the settle time (120 s); else at most one, flagged",
        tried="crash harness × fault plans: clean, 429, 500 before and after accept, time-out landed and not, reset, "
        "truncated answer",
    ),
    "P3": Promise(
        says="webhooks are verified, kept and answered without doing work",
        figure="p99 < 50 ms with turns and sends running; database away: 503, never 200",
        tried="load, database down",
        left="the p99 by itself: a run of the tests tells it, a machine left alone holds it",
    ),
    "P4": Promise(
        says="inbound survives our outage",
        figure="24 h: 0 lost, in order, swept at start and every 5 min; nothing older than a sender's activation is "
        "ever answered; a copied database stays shut",
        tried="server stopped while Handset keeps receiving",
    ),
    "P5": Promise(
        says="duplicates of any webhook, and shuffled statuses, change nothing; shuffled inbound is kept in order of "
        "arrival",
        figure="5,000 histories, same final state",
        tried="hypothesis",
        left="histories by the thousand: the everyday suite draws fifteen of statuses",
    ),
    "P6": Promise(
        says="forged webhooks do nothing",
        figure="10,000 mutations: what Twilio's own validator rejects gets 403 and 0 rows; what its scheme cannot "
        "tell apart is refused by parameter names and SID form, or has no effect",
        tried="property test",
    ),
    "P7": Promise(
        says="order inside a conversation, parallel across",
        figure="0 inversions: 100 conversations × 100 messages × 8 workers with kills",
        tried="history checker",
    ),
    "P8": Promise(
        says="delayed work blocks nobody",
        figure="neighbours' p95 unchanged",
        tried="regression",
        left="the p95 of neighbours",
    ),
    "P9": Promise(
        says="429, 5xx, time-out, slow or dead provider",
        figure="never lost, never blindly retried; breaker opens within 10 s",
        tried="fault plans",
    ),
    "P10": Promise(
        says="a sender's pace",
        figure="at most its messages a second + 1 in any second, by the recorded instant of sending, over all "
        "processes (10 % tolerance at Handset)",
        tried="4 workers",
    ),
    "P11": Promise(
        says="database restart",
        figure="503 meanwhile; serving within 5 s after; no process restart",
        tried="immediate restarts",
    ),
    "P12": Promise(
        says="disk full",
        figure="503 `storage_full`, nothing corrupt, back within 10 s of space",
        tried="limits on the database file",
        left="a full disk under PostgreSQL",
    ),
    "P13": Promise(
        says="no lock error reaches a client",
        figure="0 in a soak with a backup running",
        tried="soak",
    ),
    "P14": Promise(
        says="clock jumps",
        figure="0 duplicates, 0 lost timers, no send in quiet hours",
        tried="a clock that jumps while the house runs",
        left="quiet hours, which are not built yet; on SQLite what fell due while the clock was ahead waits until then",
    ),
    "P15": Promise(
        says="poison work is parked",
        figure="5 tries or 15 min, then parked with its traceback; neighbours unharmed",
        tried="injected",
    ),
    "P16": Promise(
        says="never silent",
        figure="every inbound ends within 120 s of receipt, while a worker runs, in a reply, a hand-over, a declared "
        "silence or an alert",
        tried="model hangs, drips, 429, garbage",
    ),
    "P17": Promise(
        says="bounded memory",
        figure="≤ 256 MiB embedded at 10k and at 100k queued",
        tried="sampler",
        left="the memory of a whole server: the queue of one road is held",
    ),
    "P18": Promise(
        says="graceful stop",
        figure="drained within 25 s, exit 0, 0 lost, 0 duplicate over 200 random SIGTERMs",
        tried="harness",
    ),
    "P19": Promise(
        says="rolling upgrade",
        figure="N and N+1 together; back without restore",
        tried="two versions, one database",
    ),
    "P20": Promise(
        says="backup and restore",
        figure="consistent while running; **a restore re-sends nothing**",
        tried="1,000 messages after the backup",
    ),
    "P21": Promise(
        says="outgoing webhooks",
        figure="at least once, signed, ordered in a conversation, 8 tries over 27.6 h, a dead endpoint delays no other",
        tried="fake receivers",
    ),
    "P22": Promise(
        says="opt-out",
        figure="after STOP commits: 0 sends but the one confirmation, queued ones included; a STOP sent while we were "
        "down wins over the queue",
        tried="races; STOP during downtime",
    ),
    "P23": Promise(
        says="takeover",
        figure="after it commits: 0 agent messages; at most one was already at the provider, shown as such",
        tried="races",
        left="an operator's own call, which is not built yet: a takeover is written as it will be",
    ),
    "P24": Promise(says="spend cap", figure="never exceeded", tried="8 workers racing"),
    "P25": Promise(
        says="idempotent starts",
        figure="1,000 concurrent calls with one key: 1 conversation",
        tried="hammer",
    ),
    "P26": Promise(says="loop guard", figure="two bots stop within 20 replies in 10 min", tried="two agents"),
    "P27": Promise(
        says="erasure",
        figure="a contact's number is in no file of the database afterwards",
        tried="search of the raw file",
    ),
    "P28": Promise(
        says="workspaces are apart",
        figure="every route × a foreign id: 404, 0 rows read",
        tried="generated from the route table",
    ),
    "P29": Promise(
        says="secrets and numbers are in no log",
        figure="the whole suite at DEBUG, 0 hits",
        tried="search of every line that is logged while the suite runs",
    ),
}


def held() -> dict[str, list[Test]]:
    """The tests that are marked for each promise."""
    found: dict[str, list[Test]] = {an_id: [] for an_id in PROMISES}
    for an_id, test in _marked():
        found.setdefault(an_id, []).append(test)
    return {an_id: sorted(set(tests)) for an_id, tests in found.items()}


def _marked() -> Iterator[tuple[str, Test]]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.promise(" not in text:
            continue
        module = ast.parse(text, filename=str(path))
        everywhere = [an_id for node in module.body if _is_pytestmark(node) for an_id in _named_in(node)]
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                own = [an_id for decorator in node.decorator_list for an_id in _named_in(decorator)]
                for an_id in {*everywhere, *own}:
                    yield an_id, Test(file=path.relative_to(ROOT).as_posix(), name=node.name)


def _is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)


def _named_in(node: ast.AST) -> list[str]:
    """The promises that a decorator, or a module's `pytestmark`, names."""
    return [
        str(argument.value)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "promise"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]


def read_runs() -> dict[str, Run]:
    """What each test last came to; nothing where none was ever run."""
    kept: dict[str, dict[str, Any]] = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    return {key: Run(**run) for key, run in kept.items()}


def keep_runs(runs: dict[str, Run]) -> None:
    """Put runs beside those of other tests, let go of tests that are no longer marked, and write the table.

    What a full run reached stays when a small one passes: it says more.
    """
    marked = {test.key for tests in held().values() for test in tests}
    kept = read_runs()
    for key, run in runs.items():
        if run.failed or run.size == "full" or key not in kept or kept[key].size == "small" or kept[key].failed:
            kept[key] = run
    kept = {key: run for key, run in kept.items() if key in marked}
    text = json.dumps({key: vars(kept[key]) for key in sorted(kept)}, indent=1, ensure_ascii=False)
    FIGURES.write_text(text + "\n", encoding="utf-8")
    write_table()


def write_table() -> None:
    """Write docs/promises.md."""
    TABLE.write_text(table(held(), read_runs()), encoding="utf-8")


_HEAD: Final = """# Promises

What is always true of Overture, with the figure each is held to, and the tests that hold it. This page is made by
`make promises` from the tests themselves: there is no promise here without its tests, and no figure that no run
reached. *Small* runs are part of every `make test`; *full* ones are `make property`, `make faults` and `make chaos`.
"""


def table(tests: dict[str, list[Test]], runs: dict[str, Run]) -> str:
    """The page."""
    lines = [_HEAD, "| # | promise | tests | state |", "|---|---|---|---|"]
    lines += [
        f"| [{an_id}](#{an_id.lower()}) | {PROMISES[an_id].says} | {_counts(tests[an_id], runs)} |"
        for an_id in PROMISES
    ]
    for an_id, promise in PROMISES.items():
        lines += ["", f"## {an_id}", "", f"**{promise.says[0].upper()}{promise.says[1:]}.** {promise.figure}."]
        lines.append(f"Tried by: {promise.tried}.")
        if promise.left:
            lines.append(f"Not tried yet: {promise.left}.")
        lines.append("")
        lines += [_line(test, runs.get(test.key)) for test in tests[an_id]] or ["Not yet held: no test tries it."]
    return "\n".join(lines) + "\n"


def _counts(tests: list[Test], runs: dict[str, Run]) -> str:
    if not tests:
        return "0 | not yet held"
    ran = [runs[test.key] for test in tests if test.key in runs]
    failed = sum(run.failed for run in ran)
    if failed:
        state = f"**broken**: {failed} of {sum(run.cases for run in ran)} cases failed"
    elif len(ran) < len(tests):
        state = f"{len(ran)} of its tests have run"
    else:
        count = sum(run.cases for run in ran)
        state = f"held in {count} case{'' if count == 1 else 's'}"
    return f"{len(tests)} | {state}"


def _line(test: Test, run: Run | None) -> str:
    sentence = test.name.removeprefix("test_").replace("_", " ")
    told = f"- [{sentence}](../{test.file})"
    if run is None:
        return f"{told}: not run yet"
    count = f"{run.cases} case{'' if run.cases == 1 else 's'}" + (f", **{run.failed} failed**" if run.failed else "")
    size = " (full size)" if run.size == "full" else ""
    return f"{told}: {count}" + "".join(f"; *{figure}*" for figure in run.reached) + (size if run.reached else "")


if __name__ == "__main__":
    write_table()
