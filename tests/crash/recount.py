"""Count a report again, from its file of records alone: `python -m tests.crash.recount build/chaos/chaos.jsonl`."""

import sys
from pathlib import Path

from tests.crash import report


def main(arguments: list[str]) -> int:
    """Print what is broken and the closing line; 1 where anything is broken, 2 where the file cannot be read."""
    if len(arguments) != 1:
        sys.stderr.write("recount takes one file: build/chaos/chaos.jsonl, unless REPORT= named another folder\n")
        return 2
    try:
        count, broken = report.recount(Path(arguments[0]))
    except (OSError, ValueError) as wrong:
        sys.stderr.write(f"recount: {wrong}\n")
        return 2
    sys.stdout.write("\n".join([*broken, *count.lines(), ""]))
    return 0 if count.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
