"""The report of a run: a file of records to count again from, and one for people to read.

`chaos.jsonl` holds one record a line. `messages.txt` lists, case by case, where the server died and every message as
Handset has it, with what the server says of it. `failed/` holds the logs and databases of cases with findings.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.crash import history, record
from tests.crash.history import Breach, Finding
from tests.crash.record import Case, Record

_LOST: Final = frozenset({Breach.LOST, Breach.UNFINISHED})
_DUPLICATE: Final = frozenset({Breach.DUPLICATE, Breach.UNEXPECTED})


class Count:
    """What a run comes to."""

    def __init__(self) -> None:
        self.cases = 0
        self.kills = 0
        self.faults = 0
        self.flagged = 0
        self.reviewed = 0
        self.given_up = 0
        self.breaches: Final[Counter[Breach]] = Counter()

    def add(self, one: Record, findings: Iterable[Finding]) -> None:
        """Count a case."""
        self.cases += 1
        self.kills += sum(death.asked is not None and death.passed >= death.asked for death in one.deaths)
        self.kills += one.restarts
        self.faults += one.faults
        self.flagged += sum(line.possible_duplicate for line in one.lines)
        self.reviewed += sum(line.reason == "needs_review" for line in one.lines)
        self.given_up += sum(taken.body == one.given_up for taken in one.taken)
        for finding in findings:
            self.breaches[finding.breach] += finding.count

    @property
    def is_clean(self) -> bool:
        """Whether nothing was broken."""
        return not self.breaches

    def lines(self) -> list[str]:
        """What is said at the end; the last line is the promise."""
        lost = sum(self.breaches[breach] for breach in _LOST)
        duplicates = sum(self.breaches[breach] for breach in _DUPLICATE)
        others = {breach: n for breach, n in self.breaches.items() if breach not in _LOST | _DUPLICATE}
        aside = (
            f"{self.flagged} flagged as possible duplicates, {self.reviewed} left to a person, {self.given_up} given up"
        )
        return [
            f"cases {self.cases}; messages: {aside}",
            *(f"broken: {breach.value} {count}" for breach, count in sorted(others.items())),
            f"kills {self.kills}, faults {self.faults}, lost {lost}, duplicates {duplicates}",
        ]


class Report:
    """Writes a run's report into a folder as the run goes on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder: Final = folder
        self.count: Final = Count()
        self._records: Final = (folder / "chaos.jsonl").open("wb")
        self._messages: Final = (folder / "messages.txt").open("w")

    def keep(self, one: Record, findings: Sequence[Finding]) -> None:
        """Keep a case."""
        self.count.add(one, findings)
        self._records.write(record.encode(one))
        self._records.flush()
        self._messages.write("\n".join([*describe(one, findings), "", ""]))

    def folder_of(self, case: Case) -> Path:
        """Where the logs of a failed case go."""
        again = "" if case.again is None else f"-{case.again}"
        return self.folder / "failed" / f"{case.plan}-{case.database}-{case.kill or 'none'}{again}"

    def close(self) -> None:
        """Close the files."""
        self._records.close()
        self._messages.close()


def read(path: Path) -> Iterable[Record]:
    """The records of a report's file. Raises ValueError that names the line that is none."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield record.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
                raise ValueError(f"{path}, line {number} is no record of a case: {wrong}") from wrong


def name_of(case: Case) -> str:
    """A case in the words that play it again."""
    killed = "" if case.kill is None else f" --kill {case.kill}"
    killed += "" if case.of is None else f" --of {case.of!r}"
    again = "" if case.again is None else f" --again {case.again}"
    bug = "" if case.bug is None else f" --bug {case.bug!r}"
    return f"--plan {case.plan} --database {case.database}{killed}{again}{bug}"


def describe(one: Record, findings: Sequence[Finding]) -> list[str]:
    """A case for people: how the server died, each message at Handset, and what was broken."""
    says = {sid: line for line in one.lines for sid in (*line.sids, line.sid) if sid is not None}
    return [
        name_of(one.case),
        *(f"  life {d.life}: {_death(d.exit_code)} after boundary {d.passed}, {d.at}" for d in one.deaths),
        *(
            f"  {taken.at:%H:%M:%S} {taken.sid} {taken.sender} -> {taken.to} {taken.body!r} {taken.status}"
            + ("" if taken.is_told else ", its webhook was not answered")
            + ("" if taken.sid not in says else f"; the server: {says[taken.sid].status or 'heard'}")
            for taken in one.taken
        ),
        *(f"  FLAGGED {line.text!r}" for line in one.lines if line.possible_duplicate),
        *(f"  BROKEN {finding.breach.value}: {finding.what}" for finding in findings),
    ]


def _death(exit_code: int) -> str:
    return f"signal {-exit_code}" if exit_code < 0 else f"exit {exit_code}"


def recount(path: Path) -> tuple[Count, list[str]]:
    """What a file of records comes to, and the words for everything broken in it."""
    count, broken = Count(), []
    for one in read(path):
        findings = history.check(one)
        count.add(one, findings)
        broken += [f"{name_of(one.case)}: {finding.breach.value}: {finding.what}" for finding in findings]
    return count, broken
