"""The real server is killed, and nothing is lost or repeated. `make chaos` does all of what is sampled here."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.crash import __main__ as command
from tests.crash import bugs, history, plans, record, recount, report
from tests.crash.history import Breach, Finding
from tests.crash.record import Case, Record
from tests.crash.report import Report
from tests.crash.run import Run, Wish
from tests.crash.slots import Slot
from tests.databases import Databases
from tests.reaching import Reached

MOST_SECONDS = 600  # alone on two cores it takes a tenth of that; beside seven others nobody knows
FEWEST_BOUNDARIES = 100  # every plan has more: so many may be drawn from without counting them first


class Kept:
    """A report that stays in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.records: list[Record] = []
        self.broken: list[str] = []

    def keep(self, one: Record, findings: Sequence[Finding]) -> None:
        self.records.append(one)
        self.broken += [f"{report.name_of(one.case)}: {f.breach.value}: {f.what}" for f in findings]

    def folder_of(self, case: Case) -> Path:
        return self._folder / f"{case.plan}-{case.database}-{case.kill}"


@pytest.fixture
def slot(postgresql: Databases) -> Iterator[Slot]:
    """A place to play single cases at."""
    slot = Slot(postgresql.url)
    yield slot
    slot.close()


@pytest.mark.promise("P1")
@pytest.mark.promise("P2")
@pytest.mark.promise("P7")
@pytest.mark.promise("P18")
@pytest.mark.promise("P22")
@pytest.mark.promise("P23")
@pytest.mark.timeout(MOST_SECONDS)
async def test_a_server_that_dies_anywhere_loses_nothing_and_repeats_nothing(tmp_path: Path, reached: Reached) -> None:
    """One boundary of every plan on both databases, drawn by a seed."""
    kept = Kept(tmp_path)
    wish = Wish(sample=1, within=FEWEST_BOUNDARIES, seed=1)
    await Run(wish, kept).play()
    count = report.Count()
    for one in kept.records:
        count.add(one, history.check(one))
    assert kept.broken == []
    assert count.kills >= len(wish.pairs()) * 0.9
    assert count.faults > 0
    reached(count.lines()[-1])


@pytest.mark.promise("P2")
@pytest.mark.timeout(MOST_SECONDS)
@pytest.mark.parametrize(
    ("bug", "where", "breach"),
    [
        (bugs.SEND_THEN_MARK, "after send", Breach.DUPLICATE),
        (bugs.MARK_THEN_SEND, "before send", Breach.LOST),
    ],
)
@pytest.mark.parametrize("database", plans.DATABASES)
async def test_a_server_with_a_bug_in_it_is_found_out(
    slot: Slot, database: str, bug: str, where: str, breach: Breach
) -> None:
    """The two policies that look right: what was sent is marked afterwards, or believed to be sent once marked."""
    found: set[Breach] = set()
    for kill in (1, 2, 3):  # a callback may tell what became of the message before the bug does its work
        played = (await slot.play(Case(plan="clean", database=database, kill=kill, of=where, bug=bug))).record
        found |= {finding.breach for finding in history.check(played)}
        if breach in found:
            return
    pytest.fail(f"a server that does {bug!r} died at {where!r}, and only {found or 'nothing'} was found")


@pytest.mark.promise("P2")
@pytest.mark.timeout(MOST_SECONDS)
async def test_a_provider_that_accepts_after_the_settle_time_is_sent_to_twice_at_most_and_flagged(slot: Slot) -> None:
    """The honest limit: nobody can tell a message that comes too late from one that never comes."""
    played = (await slot.play(Case(plan="late-beyond", database="sqlite"))).record
    assert history.check(played) == []
    repeated = [line for line in played.lines if len(line.sids) > 1]
    assert repeated
    assert all(line.possible_duplicate and len(line.sids) == 2 for line in repeated)
    assert history.check(replace(played, may_repeat=False)), "a duplicate of a provider in time is no small matter"


@pytest.mark.timeout(MOST_SECONDS)
async def test_a_report_is_counted_again_from_its_file_alone(
    slot: Slot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played = (await slot.play(Case(plan="429", database="sqlite", kill=60))).record
    kept = Report(tmp_path)
    kept.keep(played, history.check(played))
    kept.close()
    told = (tmp_path / "messages.txt").read_text()
    assert "--plan 429 --database sqlite --kill 60" in told
    assert all(taken.sid in told for taken in played.taken)
    assert recount.main([str(tmp_path / "chaos.jsonl")]) == 0
    assert f"kills 1, faults {played.faults}, lost 0, duplicates 0\n" in capsys.readouterr().out

    lost = replace(played, taken=tuple(taken for taken in played.taken if taken.body != "Noted alpha-1."))
    (tmp_path / "tampered.jsonl").write_bytes(record.encode(lost))
    assert recount.main([str(tmp_path / "tampered.jsonl")]) == 1
    assert "lost 1, duplicates 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no record\n", "line 1 is no record"),
        (b"\xff\xfe\n", "line 1 is no record"),
        (b'{"case": {"plan": 7}}\n', "line 1 is no record"),
    ],
)
def test_a_file_that_is_no_report_is_refused_by_its_line(
    content: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(content)
    assert recount.main([str(tmp_path / "file")]) == 2
    assert says in capsys.readouterr().err


def test_recount_says_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recount.main([]) == 2
    assert recount.main([str(tmp_path / "nowhere")]) == 2
    assert "recount takes one file" in capsys.readouterr().err


def test_the_name_of_a_case_plays_it_again() -> None:
    case = Case(plan="second-kill", database="postgresql", kill=12, of="before send", again=5)
    given = command.parser().parse_args(shlex.split(report.name_of(case)))
    assert (given.plan, given.database) == (["second-kill"], ["postgresql"])
    assert (given.kill, given.of, given.again) == (12, "before send", 5)


async def test_as_many_seeds_as_the_stride_go_through_every_boundary(tmp_path: Path) -> None:
    plan, case = plans.BY_NAME["429"], Case(plan="429", database="sqlite")
    kills = [
        one.kill for seed in range(1, 9) for one in Run(Wish(seed=seed, every=8), Kept(tmp_path)).cases(case, plan, 100)
    ]
    assert sorted(kill for kill in kills if kill is not None) == list(range(1, 101))


@pytest.mark.parametrize(
    "wrong", ["--kill 0", "--jobs -1", "--plan none", "--database oracle", "--bug typo", "--every x"]
)
def test_a_wish_that_makes_no_sense_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        command.parser().parse_args(wrong.split())
    assert refused.value.code == 2
    assert wrong.split(maxsplit=1)[0] in capsys.readouterr().err


def test_every_plan_has_a_name_of_its_own() -> None:
    assert len(plans.BY_NAME) == len(plans.PLANS)
