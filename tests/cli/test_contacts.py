"""The verbs of `overture contacts`, on a data folder whose server does not run."""

import json
import re
from pathlib import Path

from tests.cli.commands import overture
from tests.cli.test_deliveries import in_database, put_in_review
from tests.world import ADA

BSUID = "US.13491208655302741918"


def test_a_contact_is_shown_linked_and_unlinked(tmp_path: Path) -> None:
    conversation, _ = in_database(tmp_path, put_in_review)
    shown = overture(tmp_path, "contacts", "show", ADA)
    assert shown.returncode == 0, shown.stderr
    [an_id] = re.findall(r"^contact +(\S+)", shown.stdout, re.MULTILINE)
    assert re.search(rf"known by +\{ADA} *\n", shown.stdout)
    assert re.search(rf"sms +\{ADA} +never +{conversation}", shown.stdout)
    linked = overture(tmp_path, "contacts", "link", an_id, BSUID)
    assert linked.stdout == f"The contact {an_id} is known by this address from now on.\n", linked.stderr
    found = json.loads(overture(tmp_path, "contacts", "show", BSUID, "--json").stdout)
    assert [one["address"] for one in found["addresses"]] == [ADA, BSUID]
    unlinked = overture(tmp_path, "contacts", "unlink", an_id, BSUID)
    assert re.fullmatch(r"The address is the contact \S+ now\.\n", unlinked.stdout), unlinked.stderr


def test_who_is_not_known_is_told_in_a_sentence(tmp_path: Path) -> None:
    in_database(tmp_path, put_in_review)
    for which in ("+15550100077", "nobody"):
        told = overture(tmp_path, "contacts", "show", which)
        assert (told.returncode, "contact" in told.stderr, "Traceback" in told.stderr) == (1, True, False)
