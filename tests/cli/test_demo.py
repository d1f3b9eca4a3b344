"""The demo, as somebody runs it who has just cloned the project."""

import asyncio
import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path

import aiohttp
import pytest

from overture import settings
from overture.cli import demo_house
from tests.cli.commands import KEY, Running, is_free, overture, running
from tests.cli.models import model

ANY = ("demo", "--port", "0", "--handset-port", "0")
BOOKED = "Booking to Grace: Thank you, Grace! You are down for a haircut: Tuesday, 3pm."
CONFIRMED = "Appointment reminder to Ada: Thank you Ada, that is confirmed."


def ports(demo: Running) -> list[int]:
    """Overture's port and Handset's."""
    overture_port = demo.until(r"API documentation +http://127\.0\.0\.1:(\d+)/docs")[1]
    demo.until(rf"Inbox +http://127\.0\.0\.1:{overture_port}/inbox")
    return [int(overture_port), int(demo.until(r"Phones +http://127\.0\.0\.1:(\d+)")[1])]


def handset_of(demo: Running) -> int:
    """The process of the demo's Handset."""
    [handset] = [pid for pid in demo.children() if b"handset" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    return handset


@pytest.mark.parametrize("given", ["", "crm.internal, 10.0.0.0/8,::1"])
def test_tools_reach_in_it_what_the_operator_lets_them(tmp_path: Path, given: str) -> None:
    own = settings.read({"OVERTURE_TOOLS_MAY_REACH": given}, Path(os.devnull))
    orders = demo_house.orders(tmp_path, port=1, handset_url="http://127.0.0.1:2", once=True, own=own)
    assert orders.settings().tools_may_reach == own.tools_may_reach


def test_it_plays_whole_conversations_and_again_on_the_same_data(tmp_path: Path) -> None:
    first = overture(tmp_path, *ANY, "--data", "kept", "--once")
    assert first.returncode == 0, first.stdout + first.stderr
    assert BOOKED in first.stdout
    assert CONFIRMED in first.stdout
    assert "Played: 2 conversations to their end." in first.stdout
    assert first.stderr == ""
    again = overture(tmp_path, *ANY, "--data", "kept", "--once")
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.count(BOOKED) == 1  # what was said before is kept, and not told again
    assert KEY.findall(first.stdout)[0] == KEY.findall(again.stdout)[0]
    agents = json.loads(overture(tmp_path, "agents", "list", "--json", "--data", "kept").stdout)
    assert {agent["name"]: agent["version"] for agent in agents} == {"Booking": 1, "Appointment reminder": 1}
    shutil.rmtree(tmp_path / "kept" / "handset")  # as if the day had passed: no window is open any more
    later = overture(tmp_path, *ANY, "--data", "kept", "--once")
    assert later.returncode == 0, later.stdout + later.stderr
    assert later.stdout.count(BOOKED) == 1
    assert "Grace: START" not in later.stdout  # her word opened the window and no conversation


async def test_it_goes_on_until_ctrl_c_and_the_pasted_line_works(tmp_path: Path) -> None:
    with running(tmp_path, *ANY) as demo:
        used = ports(demo)
        demo.until("Booking to Grace: Hi! How can I help you today")
        demo.until("Appointment reminder to Ada: Hi Ada, this is Harbour Clinic.")
        demo.until("delivered")
        line = demo.until(r"(?s)\n(curl -sS .*?\n\}')\n")[1]
        shell = await _shell(line)
        answer = json.loads(shell)
        assert answer["status"] == "ok"
        demo.until("(?s)(Booking to Grace: Hi! How can I help you today.*){2}")
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{used[0]}/docs") as docs:
                assert docs.status == 200
            async with http.get(f"http://127.0.0.1:{used[1]}/") as page:
                assert "Grace" in await page.text()
        assert demo.interrupt() == 0, demo.said
        assert "Stopped. What was said is kept in" in demo.said
        assert "Traceback" not in demo.said
    assert [is_free(port) for port in used] == [True, True]


async def test_a_number_outside_the_cast_is_called_by_its_number(tmp_path: Path) -> None:
    asked = {
        "agent_id": "0b6f0a52-6f0e-4c0b-9a53-6f2f6f1d2a11",
        "channel": "sms",
        "to_number": "+15550100777",
        "from_number": "+15551234567",
        "custom_variables": {"customer_name": "Kim", "appointment": "Friday"},
    }
    with running(tmp_path, *ANY) as demo:
        port = ports(demo)[0]
        headers = {"Authorization": f"Bearer {demo.until(KEY.pattern)[0]}"}
        url = f"http://127.0.0.1:{port}/v2/chat/outbound"
        async with aiohttp.ClientSession(headers=headers) as http, http.post(url, json=asked) as answer:
            assert answer.status == 200
        await asyncio.to_thread(demo.until, r"Appointment reminder to \+15550100777: Hi Kim,")
        assert "to Ada: Hi Kim" not in demo.said


async def test_a_stop_of_an_earlier_run_is_lifted_and_told(tmp_path: Path) -> None:
    typed = {"from": "+15550100001", "to": "+15551234567", "body": "STOP"}
    with running(tmp_path, *ANY, "--data", "kept") as demo:
        demo.until(r"(?s)Appointment reminder to Ada: Hi Ada.*\n +delivered(\n|, Appointment reminder)")
        url = f"http://127.0.0.1:{ports(demo)[1]}/handset/v1/inbound"
        async with aiohttp.ClientSession() as http, http.post(url, json=typed) as answer:
            assert answer.status == 201
        await asyncio.to_thread(demo.until, "The conversation of Appointment reminder and Ada has ended")
        assert "had written STOP" not in demo.said
        assert demo.interrupt() == 0
    again = overture(tmp_path, *ANY, "--data", "kept", "--once")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Ada had written STOP; the demo lifts it." in again.stdout
    assert "Grace had written STOP" not in again.stdout


async def test_with_a_model_a_third_phone_talks_to_the_concierge(tmp_path: Path) -> None:
    async with model(says="Breakfast is from 7am.") as endpoint, aiohttp.ClientSession() as http:
        with running(tmp_path, *ANY, OVERTURE_MODEL_BASE_URL=endpoint, OVERTURE_MODEL_NAME="small") as demo:
            await asyncio.to_thread(
                demo.until, "Concierge to Linus: .*Hi Linus, this is the concierge of Harbour House."
            )
            typed = {"from": "+15550100003", "to": "+15551234567", "body": "When is breakfast?"}
            async with http.post(f"http://127.0.0.1:{ports(demo)[1]}/handset/v1/inbound", json=typed) as answer:
                assert answer.status == 201
            await asyncio.to_thread(demo.until, "Concierge to Linus: Breakfast is from 7am.")


async def _shell(line: str) -> bytes:
    shell = await asyncio.create_subprocess_shell(line, stdout=asyncio.subprocess.PIPE)
    out, _ = await shell.communicate()
    return out


@pytest.mark.parametrize("after", ["done  Handset", "done  the database", "done  agents"])
def test_ctrl_c_while_it_sets_up_leaves_nothing_running(tmp_path: Path, after: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with running(tmp_path, "demo", "--port", "0", "--handset-port", str(port)) as demo:
        demo.until(after)
        status = demo.interrupt()
    assert status in (0, 130), demo.said  # it may have been ready already
    assert "Traceback" not in demo.said
    assert is_free(port)


def test_it_says_so_when_handset_dies(tmp_path: Path) -> None:
    with running(tmp_path, *ANY) as demo:
        used = ports(demo)
        demo.until("Booking to Grace")
        os.kill(handset_of(demo), signal.SIGKILL)
        assert demo.ends() == 1, demo.said
        assert "overture: Handset has stopped by itself" in demo.said
        assert "Traceback" not in demo.said
    assert is_free(used[0])


@pytest.mark.promise("P4")
async def test_killed_in_the_middle_it_comes_back_and_nothing_is_lost(tmp_path: Path) -> None:
    with running(tmp_path, *ANY, "--data", "kept") as demo:
        await asyncio.to_thread(demo.until, r"(?s)Appointment reminder to Ada: Hi Ada.*\n +delivered")
        handset = f"http://127.0.0.1:{ports(demo)[1]}/handset/v1"
        [button] = json.loads((tmp_path / "kept" / "handset" / "handset.json").read_text())["buttons"]
        async with aiohttp.ClientSession() as http:
            async with http.post(button["url"]) as pressed:
                assert pressed.status == 200
            typed = {"from": "+15550100001", "to": "+15551234567", "body": "1"}  # nobody listens at this moment
            async with http.post(f"{handset}/inbound", json=typed) as answer:
                assert answer.status == 201
            await asyncio.to_thread(demo.until, r"Overture was killed \(SIGKILL\)")
            await asyncio.to_thread(demo.until, "Overture is back after")
            await asyncio.to_thread(demo.until, CONFIRMED)
            async with http.get(f"{handset}/messages", params={"address": "+15550100001"}) as answer:
                said = [one["body"] for one in (await answer.json())["messages"] if one["to"] == "+15550100001"]
        assert len(said) == len(set(said)) == 2
        assert demo.interrupt() == 0, demo.said
        assert "Traceback" not in demo.said


def test_overture_ends_with_a_demo_that_dies(tmp_path: Path) -> None:
    with running(tmp_path, *ANY) as demo:
        port, handset = ports(demo)[0], handset_of(demo)
        demo.process.kill()
        demo.ends()
        os.kill(handset, signal.SIGTERM)
    for _ in range(200):
        if is_free(port):
            return
        time.sleep(0.05)
    raise AssertionError("Overture goes on without its demo")


@pytest.mark.parametrize("option", ["--port", "--handset-port"])
def test_a_port_in_use_is_told(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = overture(tmp_path, *ANY, option, port, "--once")
    assert run.returncode == 1
    assert "Address already in use" in run.stderr
    assert f"Choose another {option}" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--api-key", "secret"], "--api-key: this is no key"),
        (["--api-key", "ovt_live_" + "a" * 10 + "_" + "b" * 49], "--api-key: this is no key"),  # its check is wrong
        (["--port", "many"], "--port: 'many' is no whole number from 0 to 65535."),
        (["--handset-port", "65536"], "--handset-port: '65536' is no whole number"),
    ],
)
def test_what_it_cannot_use_is_told_before_anything_starts(tmp_path: Path, arguments: list[str], told: str) -> None:
    run = overture(tmp_path, "demo", *arguments, "--data", "kept")
    assert (run.returncode, told in run.stderr, run.stdout) == (2, True, ""), run.stderr


def test_a_key_of_ones_own_is_taken_and_printed(tmp_path: Path) -> None:
    key = overture(tmp_path, "keys", "create", "mine", "--data", "elsewhere").stdout.strip()
    run = overture(tmp_path, *ANY, "--api-key", key, "--data", "kept", "--once")
    assert run.returncode == 0, run.stderr
    assert set(KEY.findall(run.stdout)) == {key}
