"""A client of the hosted platform changes its base URL and its token, and a person gets a message."""

import ast
import asyncio
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import environment
from tests.journeys import samples
from tests.journeys.conftest import GRACE, OPENING, OUR_WHATSAPP, Phones

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


async def output_of(folder: Path, *command: str, **given: str) -> str:
    """What a program prints."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment(**given), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def run_curl(folder: Path, sample: str) -> Any:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    return json.loads(await output_of(folder, "sh", "-c", sample))


async def run_python(folder: Path, sample: str) -> Any:
    (folder / "sample.py").write_text(sample)
    return ast.literal_eval(await output_of(folder, sys.executable, "sample.py"))


async def run_go(folder: Path, sample: str) -> Any:
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    (folder / "main.go").write_text(sample)
    cache = Path(tempfile.gettempdir()) / "overture-go-build"  # the standard library is compiled once a machine
    said = await output_of(
        folder, "go", "run", "main.go", GO111MODULE="off", GOCACHE=str(cache), GOPATH=str(folder), GOTOOLCHAIN="local"
    )
    return json.loads(said.strip().splitlines()[-1])


@pytest.mark.timeout(400)  # go compiles its standard library the first time, on whatever machine this is
@pytest.mark.parametrize(
    ("sample", "run"), [(samples.CURL, run_curl), (samples.PYTHON, run_python), (samples.GO, run_go)]
)
async def test_a_sample_opens_a_conversation_that_goes_on(
    phones: Phones, tmp_path: Path, sample: str, run: Any
) -> None:
    before = await phones.received(GRACE)
    answer = await run(tmp_path, samples.pointed_at(sample, base_url=phones.overture_url, token=phones.key))
    an_id = answer["response"]["conversation_id"]
    assert answer == {"status": "ok", "response": {"conversation_id": an_id}}
    assert UUID.fullmatch(an_id)

    async def shows(*texts: str) -> bool:
        return await phones.received(GRACE) == [*before, *texts]

    await phones.until(lambda: shows(OPENING), "the message on the phone")
    await phones.types(GRACE, OUR_WHATSAPP, "a haircut please")
    reply = "Lovely, a haircut. Which day suits you?"
    await phones.until(lambda: shows(OPENING, reply), "the agent's reply")
    chat = await phones.chat(an_id)
    assert chat["chat_status"] == "ongoing"
    said = [(line["agent_id"], line["message"]) for line in chat["conversation_history"]]
    booking = "2a886b7d-d52d-4f8b-8ea0-19d3edc79214"
    assert said == [(booking, OPENING), ("user", "a haircut please"), (booking, reply)]
