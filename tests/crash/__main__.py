"""The command behind `make chaos`."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.crash import bugs, plans
from tests.crash.history import Finding
from tests.crash.record import Case, Record
from tests.crash.report import Report, name_of
from tests.crash.run import Run, Wish

_TELL_EVERY_SECONDS = 10.0


def parser() -> argparse.ArgumentParser:
    """What may stand on the command line."""
    listed = "\n".join(f"  {plan.name:20} {plan.says}" for plan in plans.PLANS)
    asked = argparse.ArgumentParser(
        prog="make chaos ARGS=...",
        description="Kill the server at every boundary, under every plan, on both databases, and count.",
        epilog=f"plans:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    asked.add_argument("--plan", action="append", choices=list(plans.BY_NAME), metavar="PLAN", help="only this plan")
    asked.add_argument("--database", action="append", choices=plans.DATABASES, help="only this database")
    asked.add_argument("--kill", type=_positive, metavar="N", help="only the N-th boundary")
    asked.add_argument("--of", metavar="NAME", help="with --kill: the N-th boundary of this name ('before send')")
    asked.add_argument(
        "--again", type=_positive, metavar="N", help="with --kill: the second life dies at its N-th boundary"
    )
    asked.add_argument(
        "--every", type=_positive, default=8, metavar="N", help="every N-th boundary of plans that are not clean (8)"
    )
    asked.add_argument("--sample", type=_positive, metavar="N", help="N boundaries of each plan on each database")
    asked.add_argument("--seed", type=int, default=1, help="draws the sample and the second deaths (1)")
    asked.add_argument("--jobs", type=_positive, default=3, help="cases side by side (3)")
    asked.add_argument("--bug", choices=bugs.BUGS, help="put a bug into the server on purpose: it must be found")
    asked.add_argument("--report", type=Path, default=Path("build/chaos"), help="the report's folder (build/chaos)")
    return asked


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


class _Telling:
    """Keeps the report, and says on the terminal how it goes."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._told_at = 0.0
        self.run: Run | None = None

    def keep(self, record: Record, findings: Sequence[Finding]) -> None:
        self._report.keep(record, findings)
        for finding in findings:
            sys.stdout.write(f"{name_of(record.case)}: {finding.breach.value}: {finding.what}\n")
        if self.run is not None and time.monotonic() - self._told_at > _TELL_EVERY_SECONDS:
            self._told_at = time.monotonic()
            sys.stdout.write(f"{self.run.played} of {self.run.planned} cases; {self._report.count.lines()[-1]}\n")
        sys.stdout.flush()

    def folder_of(self, case: Case) -> Path:
        return self._report.folder_of(case)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, report, and give the exit status: 0 where nothing was broken."""
    given = parser().parse_args(arguments)
    wish = Wish(
        plan_names=tuple(given.plan or plans.BY_NAME),
        databases=tuple(given.database or plans.DATABASES),
        kill=given.kill,
        of=given.of,
        again=given.again,
        every=given.every,
        sample=given.sample,
        seed=given.seed,
        jobs=given.jobs,
        bug=given.bug,
    )
    report = Report(given.report)
    telling = _Telling(report)
    telling.run = run = Run(wish, telling)
    began = time.monotonic()
    try:
        asyncio.run(run.play())
    finally:
        report.close()
    sys.stdout.write(f"{time.monotonic() - began:.0f} s; the report is in {given.report}\n")
    sys.stdout.write("\n".join([*report.count.lines(), ""]))
    return 0 if report.count.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
