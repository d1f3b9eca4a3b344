"""`overture model check` says what an endpoint can do, keeps it, and shows no secret."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.cli.commands import overture
from tests.cli.models import model


def run(folder: Path, *arguments: str, **settings: str) -> Any:
    return asyncio.to_thread(lambda: overture(folder, *arguments, **settings))


async def test_a_check_is_told_kept_and_shows_no_key(tmp_path: Path) -> None:
    async with model() as url:
        at = {"OVERTURE_MODEL_BASE_URL": url, "OVERTURE_MODEL_NAME": "small", "OVERTURE_MODEL_API_KEY": "hush"}
        before = await run(tmp_path, "doctor", **at)
        assert "'default' was never checked" in before.stdout
        told = await run(tmp_path, "model", "check", "default", **at)
        assert told.returncode == 0, told.stderr
        assert "It was offered a tool and did not call it." in told.stdout
        listed = await run(tmp_path, "model", "list", "--json", **at)
        [one] = json.loads(listed.stdout)["models"]
        assert one["checked"]["usable"]
        assert not one["checked"]["calls_tools"]
        assert "never checked" not in (await run(tmp_path, "doctor", **at)).stdout
        assert "hush" not in told.stdout + told.stderr + listed.stdout


async def test_an_endpoint_that_refuses_is_told_of_and_changes_nothing(tmp_path: Path) -> None:
    async with model(status=401) as url:
        at = {"OVERTURE_MODEL_BASE_URL": url, "OVERTURE_MODEL_NAME": "small"}
        told = await run(tmp_path, "model", "check", **at)
        assert told.returncode == 1
        assert "Check its API key." in told.stdout
        unknown = await run(tmp_path, "model", "check", "other", **at)
        assert unknown.returncode == 1
        assert "There are: default." in unknown.stderr
        listed = await run(tmp_path, "model", "list", "--json", **at)
        assert json.loads(listed.stdout)["models"][0]["checked"] is None
