"""`overture templates` as an operator types it: over the socket of a server, or without one."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from handset.testing import running
from overture.domain.template import Approval, Button, Content, Template
from overture.store import instances, templates
from overture.store.engine import Writing
from tests.cli.commands import overture
from tests.cli.commands import running as command
from tests.cli.test_deliveries import in_database
from tests.world import ACCOUNT, NOON, WORKSPACE

SID, SALE = "HX" + "0" * 31 + "1", "HX" + "0" * 31 + "2"
EVIL = "Sale \x1b[2J {{1}} [bold]"


def template(sid: str, name: str, text: str, **changes: Any) -> Template:
    content = Content(type="twilio/quick-reply", text=text, buttons=(Button(kind="reply", title="Yes"),))
    return Template(
        content_sid=sid,
        account_sid=ACCOUNT,
        name=name,
        language="en",
        contents=(content,),
        samples={"1": "you"},
        **changes,
    )


async def furnish(tx: Writing) -> None:
    """Two templates, of which one is approved."""
    await instances.add_workspace(tx, WORKSPACE, WORKSPACE, NOON)
    found = [
        template(SID, "reminder", "Hello {{1}}!", approval=Approval.APPROVED),
        template(SALE, "sale", EVIL, approval=Approval.REJECTED, rejection="Too loud"),
    ]
    await templates.save(tx, WORKSPACE, found, NOON)


def test_templates_are_listed_shown_and_previewed_without_a_server(tmp_path: Path) -> None:
    in_database(tmp_path, furnish)
    listed = overture(tmp_path, "templates", "list")
    assert listed.returncode == 0, listed.stderr
    assert (SID in listed.stdout, SALE in listed.stdout, "\x1b" in listed.stdout) == (True, True, False)
    approved = json.loads(overture(tmp_path, "templates", "list", "--approval", "approved", "--json").stdout)
    assert [one["name"] for one in approved["templates"]] == ["reminder"]
    shown = overture(tmp_path, "templates", "show", SALE).stdout
    assert "Meta rejected the template: Too loud. (Twilio 63040)" in shown
    good = overture(tmp_path, "templates", "preview", SID, "1=Ada = Bob")
    assert (good.returncode, good.stdout) == (0, "Hello Ada = Bob!\n[Yes]\n"), good.stderr
    bad = overture(tmp_path, "templates", "preview", SALE, "2=x")
    assert (bad.returncode, "\x1b" in bad.stdout) == (1, False)
    assert "wrong    The template needs a value for {{1}}. (Twilio 63028)" in bad.stdout
    assert "It cannot be sent so: 3 wrong." in bad.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["list", "--approval", "good"], 2, "--approval: 'good' is no state of approval."),
        (["list", "--limit", "0"], 2, "--limit: '0' is no whole number"),
        (["preview", SID, "Ada"], 2, "'Ada' is no value."),
        (["preview", SID, "--purpose", "fun"], 2, "--purpose: 'fun' is none."),
        (["list"], 1, "There is no data folder"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, arguments: list[str], status: int, told: str) -> None:
    run = overture(tmp_path, "templates", *arguments)
    assert (run.returncode, told in run.stderr) == (status, True), run.stderr
    assert not (tmp_path / "data").exists()


async def test_a_refresh_fetches_what_twilio_has(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    given = [{"sid": SID, "name": "reminder", "body": "Hi {{1}}", "variables": {"1": "you"}, "approval": "pending"}]
    async with running({"templates": given}) as handset:
        settings = {
            "OVERTURE_TWILIO_ACCOUNT_SID": handset.account_sid,
            "OVERTURE_TWILIO_AUTH_TOKEN": handset.auth_token,
            "OVERTURE_TWILIO_BASE_URL": handset.base_url,
            "OVERTURE_SENDERS": "+15551234567",
        }
        with command(tmp_path, "serve", "--port", "0", **settings) as server:
            await asyncio.to_thread(server.until, "listens on")
            refreshed = await asyncio.to_thread(overture, tmp_path, "templates", "refresh", **settings)
            assert refreshed.stdout == f"{handset.account_sid}: 1 template\n", refreshed.stderr
            listed = await asyncio.to_thread(overture, tmp_path, "templates", "list", **settings)
            assert ("reminder" in listed.stdout, "pending" in listed.stdout) == (True, True)


def test_what_is_not_known_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    run = overture(tmp_path, "templates", "show", SID)
    assert (run.returncode, f"No template {SID} is known." in run.stderr) == (1, True), run.stderr
    assert "refresh" in overture(tmp_path, "templates", "list").stdout
    assert "No Twilio account is set up." in overture(tmp_path, "templates", "refresh").stderr
