"""What the documents say of settings and commands is what there is."""

import os
import re
from pathlib import Path

from overture import settings
from tests.architecture.tree import ROOT
from tests.cli.commands import overture


def test_every_setting_is_in_the_document_and_nothing_else() -> None:
    read = settings.read({}, Path(os.devnull))
    document = (ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `(OVERTURE_\w+)` \| `(\w+)` \|", document, re.MULTILINE))
    assert rows == {f"OVERTURE_{name.upper()}": name for name in read.origins}


def test_the_readme_uses_commands_that_exist() -> None:
    used = set(re.findall(r"^overture (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert used == {"agents", "doctor", "keys", "serve", "twilio"}
    help_text = overture(ROOT, "--help").stdout
    assert [verb for verb in used if verb not in help_text] == []
