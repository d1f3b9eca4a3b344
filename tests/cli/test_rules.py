"""`overture rules` as an operator types it."""

from pathlib import Path

import pytest
import yaml

from overture.cli import rules, serving, telling
from overture.domain.errors import Invalid
from overture.store import instances
from overture.store.engine import Writing
from tests.cli.commands import overture
from tests.cli.test_deliveries import in_database
from tests.cli.test_pools import SETTINGS
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


def test_norway_and_half_past_nine_are_what_they_look_like(tmp_path: Path) -> None:
    in_database(tmp_path, furnish)
    file = tmp_path / "rules.yaml"
    file.write_bytes("\ufeffcountries: [NO]\nquiet_hours: {start: 20:30, end: 09:30}\nrequire_consent: off\n".encode())
    done = overture(tmp_path, "rules", "set", str(file))
    assert done.stdout == (
        "The rules of the workspace are set: countries NO; 0 caps; quiet hours 20:30 to 09:30; consent off.\n"
    ), done.stderr
    file.write_text(overture(tmp_path, "rules", "show").stdout)
    assert overture(tmp_path, "rules", "set", str(file)).stdout == done.stdout  # what is shown can be set
    file.write_text("{}")
    assert "are taken away" in overture(tmp_path, "rules", "set", str(file)).stdout


def test_a_senders_rules_are_named_by_its_address(tmp_path: Path) -> None:
    (tmp_path / "overture.toml").write_text(SETTINGS)
    added = overture(tmp_path, "senders", "add", "sms:+15551230001", "--account", "AC00000000000000000000000000000001")
    assert added.returncode == 0, added.stderr
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    done = overture(tmp_path, "rules", "set", str(file), "--sender", "sms:+15551230001")
    assert "The rules of sender sms:+15551230001 are set" in done.stdout, done.stderr
    assert yaml.safe_load(overture(tmp_path, "rules", "show", "--sender", "sms:+15551230001").stdout)["countries"]
    assert overture(tmp_path, "rules", "show").stdout.startswith("No rules")
    nobody = overture(tmp_path, "rules", "show", "--sender", "+15551230001")
    assert "`overture senders list` shows" in nobody.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[]", "holds no rules"),
        (b"a: [", "line 1, column 5"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"", "holds no rules"),
        (b"1: 2", "holds no rules"),
        (b"a: &a [*a]", "aliases"),
        (b"rules: {countries: [US]}", "under `rules:`"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_holds_no_rules_is_refused_before_anything_is_asked(
    tmp_path: Path, text: bytes | None, said: str
) -> None:
    file = tmp_path / "rules.yaml"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises((telling.Stop, Invalid), match=said):
        rules.replace(serving.read(None), file, sender=None)
