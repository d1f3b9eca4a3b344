"""`overture rules` as an operator types it."""

import json
from pathlib import Path

import pytest

from overture.store import instances
from overture.store.engine import Writing
from tests.cli.commands import overture
from tests.cli.test_deliveries import in_database
from tests.world import NOON, WORKSPACE

RULES = "countries: [DE, US]\ncaps:\n- at_most: 3\n  within_seconds: 86400\n  per: contact\n"


async def furnish(tx: Writing) -> None:
    """An empty workspace."""
    await instances.add_workspace(tx, WORKSPACE, WORKSPACE, NOON)


def test_rules_are_set_from_a_file_shown_and_explained(tmp_path: Path) -> None:
    in_database(tmp_path, furnish)
    assert "No rules are set" in overture(tmp_path, "rules", "show").stdout
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    done = overture(tmp_path, "rules", "set", str(file))
    assert (done.returncode, done.stdout) == (
        0,
        "The rules of the workspace are set: countries DE, US; 1 cap.\n",
    ), done.stderr
    shown = json.loads(overture(tmp_path, "rules", "show", "--json").stdout)
    assert shown == {"countries": ["DE", "US"], "caps": [{"at_most": 3, "within_seconds": 86400, "per": "contact"}]}
    file.write_text(overture(tmp_path, "rules", "show").stdout)  # what is shown can be set
    assert overture(tmp_path, "rules", "set", str(file)).returncode == 0
    told = overture(tmp_path, "rules", "explain", "+33612345678")
    assert told.returncode == 0, told.stderr
    assert "An opening to +33612345678 over sms is refused now." in told.stdout
    assert "belongs to FR" in " ".join(told.stdout.split())
    as_json = json.loads(overture(tmp_path, "rules", "explain", "+12125550100", "--json").stdout)
    assert [one["rule"] for one in as_json["said"]] == ["opt_out", "country", "cap", "sender"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[]", "holds no rules"),
        (b"a: [", "neither YAML nor JSON"),
        (b"\xff\xfe\x00", "neither YAML nor JSON"),
        (b"", "holds no rules"),
        (b"countries: [NO, us]", "countries"),
        (b"caps: [{at_most: 1, within_seconds: 1}]", "within_seconds"),
    ],
)
def test_a_file_that_holds_no_rules_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    in_database(tmp_path, furnish)
    file = tmp_path / "rules.yaml"
    file.write_bytes(text)
    done = overture(tmp_path, "rules", "set", str(file))
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_cannot_be_explained_is_said(tmp_path: Path) -> None:
    in_database(tmp_path, furnish)
    for given in (("hello",), ("+12125550100", "--channel", "fax"), ("+12125550100", "--agent", "nobody")):
        done = overture(tmp_path, "rules", "explain", *given)
        assert (done.returncode != 0, "Traceback" in done.stderr) == (True, False)
    missing = overture(tmp_path, "rules", "set", str(tmp_path / "absent.yaml"))
    assert (missing.returncode != 0, "Traceback" in missing.stderr) == (True, False)
