"""`overture prices` and `overture spend` as an operator types them: without a server, over a data folder."""

import json
from pathlib import Path

import pytest

from overture.store import instances
from tests.cli.commands import overture
from tests.cli.test_deliveries import in_database
from tests.pricing import HEAD, LIST
from tests.world import NOON, WORKSPACE


def test_a_price_list_is_imported_shown_exported_and_cleared(tmp_path: Path) -> None:
    in_database(tmp_path, lambda tx: instances.add_workspace(tx, WORKSPACE, WORKSPACE, NOON))
    (tmp_path / "prices.csv").write_text(LIST)
    brought = overture(tmp_path, "prices", "import", "prices.csv")
    assert (brought.returncode, brought.stdout) == (0, "5 prices are in force, in USD.\n"), brought.stderr
    (tmp_path / "wrong.csv").write_text(f"{HEAD}sms,+1,,0,5,USD\nfax,+1,,1,USD\n")
    wrong = overture(tmp_path, "prices", "import", "wrong.csv")
    assert wrong.returncode == 2
    assert "Line 2: it has 6 fields, not 5; a price is written with a point.\nLine 3: channel 'fax' is" in wrong.stderr
    assert "Nothing was kept." in wrong.stderr
    shown = overture(tmp_path, "prices", "show", "+4915112345678").stdout
    assert [line.split() for line in shown.splitlines()[1:]] == [
        ["whatsapp", "+", "service", "0.005", "USD"],
        ["whatsapp", "+49", "marketing", "0.025", "USD"],
        ["whatsapp", "+49", "utility", "0.004", "USD"],
    ]
    exported = overture(tmp_path, "prices", "export").stdout
    assert sorted(exported.splitlines()) == sorted(LIST.splitlines())
    assert overture(tmp_path, "prices", "clear").returncode == 0
    assert "There is no price table." in overture(tmp_path, "prices", "show").stdout
    spent = json.loads(overture(tmp_path, "spend", "--by", "agent", "--json").stdout)
    assert (spent["by"], spent["spend"], spent["total"]["messages"]) == ("agent", [], 0)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["prices", "import", "nothing.csv"], 1, "There is no data folder"),
        (["spend", "--by", "country"], 2, "--by: 'country' is none of day, sender, agent."),
        (["prices", "show", "--limit", "0"], 2, "--limit: '0' is no whole number"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, arguments: list[str], status: int, told: str) -> None:
    run = overture(tmp_path, *arguments)
    assert (run.returncode, told in run.stderr) == (status, True), run.stderr
