"""`overture rules` as an operator types it."""

from pathlib import Path

import pytest
import yaml

from overture.cli import rules, serving, telling
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
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    done = overture(tmp_path, "rules", "set", str(file))
    assert (done.returncode, done.stdout) == (
        0,
        "The rules of the workspace are set: countries DE, US; 1 cap.\n",
    ), done.stderr
    assert yaml.safe_load(overture(tmp_path, "rules", "show").stdout) == yaml.safe_load(RULES)  # shown as it is set
    told = overture(tmp_path, "rules", "explain", "+33612345678")
    assert told.returncode == 0, told.stderr
    assert "An opening to +33612345678 over sms is refused now." in told.stdout
    assert "belongs to FR" in " ".join(told.stdout.split())


def test_rules_that_make_no_sense_and_whom_nobody_can_be_are_refused_in_a_sentence(tmp_path: Path) -> None:
    in_database(tmp_path, furnish)
    file = tmp_path / "rules.yaml"
    file.write_text("caps: [{at_most: 1, within_seconds: 1}]")
    for given, said in ((("set", str(file)), "within_seconds"), (("explain", "hello"), "country code")):
        done = overture(tmp_path, "rules", *given)
        assert (done.returncode != 0, "Traceback" in done.stderr, said in done.stderr) == (True, False, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[]", "holds no rules"),
        (b"a: [", "neither YAML nor JSON"),
        (b"\xff\xfe\x00", "neither YAML nor JSON"),
        (b"", "holds no rules"),
        (b"1: 2", "holds no rules"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_holds_no_rules_is_refused_before_anything_is_asked(
    tmp_path: Path, text: bytes | None, said: str
) -> None:
    file = tmp_path / "rules.yaml"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(telling.Stop, match=said):
        rules.replace(serving.read(None), file, sender=None)
