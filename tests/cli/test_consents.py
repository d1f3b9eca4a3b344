"""The verbs of `overture consents`, on a data folder whose server does not run."""

import csv
import json
from pathlib import Path

from overture.cli import consents as verbs
from tests.cli.commands import overture
from tests.cli.test_deliveries import in_database, put_in_review
from tests.world import ADA

HEAD = "number,change,source,evidence,purpose\n"


def test_consent_is_recorded_imported_listed_and_exported(tmp_path: Path) -> None:
    in_database(tmp_path, put_in_review)
    told = overture(tmp_path, "consents", "record", ADA, "grant", "--source", "form", "--purpose", "marketing")
    assert told.stdout == "Recorded.\n", told.stderr
    rows = "".join(f'+1555{n},opt_out,list,"row\n{n}",\n' for n in range(2_000_000, 2_000_000 + verbs._PIECE + 5))
    (tmp_path / "list.csv").write_text(HEAD + rows + "nobody,opt_out,list,,\n", encoding="utf-8")
    refused = overture(tmp_path, "consents", "import", "list.csv", "--all-or-nothing")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"line {2 * verbs._PIECE + 12}: number is neither"), refused.stderr
    assert "none taken" in refused.stdout
    taken = overture(tmp_path, "consents", "import", "list.csv", "--json")
    done = json.loads(taken.stdout)
    assert (taken.returncode, done["recorded"], done["refused"]) == (1, verbs._PIECE + 5, 1), taken.stderr
    listed = overture(tmp_path, "consents", "list", "--change", "grant")
    assert ADA in listed.stdout, listed.stderr
    exported = overture(tmp_path, "consents", "export", "all.csv")
    assert exported.returncode == 0, exported.stderr
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == verbs._PIECE + 6
    again = overture(tmp_path, "consents", "export", "all.csv")
    assert (again.returncode, "Traceback" in again.stderr) == (1, False)


def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path) -> None:
    in_database(tmp_path, put_in_review)
    (tmp_path / "list.txt").write_text("x", encoding="utf-8")
    for arguments, status in (
        (("import", "nothing.csv"), 1),
        (("import", "list.txt"), 2),
        (("import", "list.txt", "--format", "csv"), 2),
        (("record", ADA, "agree", "--source", "form"), 2),
        (("record", ADA, "opt_in", "--source", "form"), 1),
    ):
        told = overture(tmp_path, "consents", *arguments)
        assert (told.returncode, "Traceback" in told.stderr) == (status, False), (arguments, told.stderr)
