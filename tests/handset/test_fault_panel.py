"""The panel of faults on the page: without scripts, by keyboard, on a small screen; and the counter beside it."""

import re
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from handset.phone import panel
from handset.state.nouns import Change, Message
from handset.state.tally import Tally
from handset.testing import Answer, Receiver, RunningHandset, running
from tests.handset.browsing import opened
from tests.handset.conftest import ADA, SMS, config_for
from tests.handset.test_carrier import NOW, QUEUED

Http = aiohttp.ClientSession


async def test_faults_are_made_and_lifted_without_scripts(handset: RunningHandset, http: Http) -> None:
    url = handset.base_url
    async with http.get(url) as response:
        assert 'id="faults" aria-labelledby="faults-title" hidden' in await response.text()
    async with http.post(f"{url}/faults", data={"quick": "double"}) as response:
        html = await response.text()
        assert response.url.query_string == "faults"
        assert "the webhook comes again" in html
        assert 'aria-labelledby="faults-title" hidden' not in html
    form = {"kind": "failed", "next": "2", "seconds": "", "code": "30003", "to": ADA}
    async with http.post(f"{url}/faults", data=form):
        pass
    first, second = await handset.standing_faults()
    assert (first["kind"], first["next"]) == ("duplicated", 1)
    assert (second["kind"], second["next"], second["code"], second["to"]) == ("failed", 2, 30003, ADA)
    async with http.post(f"{url}/faults/lift", data={"id": first["id"]}):
        assert [rule["kind"] for rule in await handset.standing_faults()] == ["failed"]
    async with http.post(f"{url}/faults/lift", data={"id": ""}) as response:
        assert "Nothing goes wrong on purpose." in await response.text()


@pytest.mark.parametrize(
    "form",
    [
        {"quick": "everything"},
        {},
        {"kind": "<b>x</b>"},
        {"kind": "refused"},
        {"kind": "lost", "next": "many"},
        {"kind": "lost", "next": "0"},
        {"kind": "late", "seconds": "nan"},
        {"kind": "late", "seconds": "-1"},
    ],
)
async def test_a_form_that_makes_no_sense_is_told_so_and_stays_open(
    handset: RunningHandset, http: Http, form: dict[str, str]
) -> None:
    async with http.post(f"{handset.base_url}/faults", data=form) as response:
        html = await response.text()
        assert response.status == 400
    assert 'class="error"' in html
    assert 'aria-labelledby="faults-title" hidden' not in html
    assert "<b>x</b>" not in html
    assert await handset.standing_faults() == []


@pytest.mark.parametrize("path", ["/faults", "/faults/lift", "/buttons/kill"])
async def test_a_foreign_pages_form_makes_no_faults(handset: RunningHandset, http: Http, path: str) -> None:
    headers = {"Origin": "https://example.com"}
    async with http.post(handset.base_url + path, data={"quick": "cut"}, headers=headers) as response:
        assert response.status == 403
    assert await handset.standing_faults() == []


def buttons(receiver: Receiver) -> list[dict[str, str]]:
    return [
        {"id": "kill", "label": "Kill the server", "url": receiver.url("/kill"), "hint": "kill -9"},
        {"id": "gone", "label": "Ring nowhere", "url": "http://127.0.0.1:9/"},  # discard: nobody listens
    ]


async def test_a_button_of_the_starters_is_pressed_and_its_answer_told_once(receiver: Receiver, http: Http) -> None:
    receiver.answers("/kill", Answer(body="<i>killed</i>", content_type="text/plain"), Answer(status=500, body=""))
    async with running(config_for(receiver, buttons=buttons(receiver))) as handset:
        told = []
        for name in ("kill", "kill", "gone"):
            async with http.post(f"{handset.base_url}/buttons/{name}", data={}) as response:
                [found] = re.findall(r'id="said"[^>]*>(.*?)</p>', await response.text())
                told.append(found)
        assert told[0] == "<strong>Kill the server</strong> &lt;i&gt;killed&lt;/i&gt;"
        assert told[1] == "<strong>Kill the server</strong> answered 500"
        assert told[2].startswith("<strong>Ring nowhere</strong> no answer: ")
        assert [received.headers["Handset-Button"] for received in receiver.at("/kill")] == ["kill", "kill"]
        async with http.get(handset.base_url) as response:
            assert 'id="said" role="status" hidden' in await response.text()
        async with http.post(f"{handset.base_url}/buttons/other", data={}) as response:
            assert response.status == 404


# -- the counter


def moved(number: int, status: Any, *, seconds: int = 0, text: str = "hello", to: str = ADA) -> Message:
    at = NOW.replace(second=0).timestamp() + seconds
    instant = NOW.fromtimestamp(at, NOW.tzinfo)
    return Message(
        sid=f"SM{number:032x}",
        account_sid=QUEUED.account_sid,
        from_address=SMS,
        to_address=to,
        body=text,
        direction="outbound-api",
        status=status,
        created_at=instant,
        updated_at=instant,
        history=(Change(status=status, at=instant),),
    )


@pytest.mark.parametrize(
    ("messages", "reached", "doubled", "waiting", "missed"),
    [
        ([moved(1, "queued")], 0, 0, 1, 0),
        ([moved(1, "queued"), moved(1, "sent"), moved(1, "delivered"), moved(1, "read")], 1, 0, 0, 0),
        ([moved(1, "sent"), moved(2, "sent", seconds=59)], 2, 1, 0, 0),
        ([moved(1, "sent"), moved(2, "sent", seconds=60)], 2, 0, 0, 0),
        ([moved(1, "sent"), moved(2, "sent", text="other"), moved(3, "sent", to="+15550100009")], 3, 0, 0, 0),
        ([moved(1, "sent"), moved(2, "failed")], 1, 0, 0, 1),
        ([moved(1, "sent"), moved(1, "undelivered")], 0, 0, 0, 1),
        ([moved(1, "sent"), moved(2, "sent"), moved(3, "sent")], 3, 2, 0, 0),
    ],
)
def test_the_counter_tells_what_reached_a_phone_and_what_came_twice(
    messages: list[Message], reached: int, doubled: int, waiting: int, missed: int
) -> None:
    tally = Tally()
    for message in messages:
        tally.count(message)
    assert (tally.reached, tally.doubled, tally.waiting, tally.missed) == (reached, doubled, waiting, missed)


def test_every_kind_can_be_chosen() -> None:
    kinds = [kind for _, group in panel.choices() for kind, _, _ in group]
    assert len(kinds) == len(set(kinds)) == 23


# -- in a browser


async def test_faults_are_made_by_keyboard_seen_acting_and_lifted(
    browser: Browser, handset: RunningHandset, receiver: Receiver
) -> None:
    watched = await opened(browser, handset)
    page = watched.page
    toggle = page.get_by_role("link", name="Faults")
    await expect(page.get_by_role("region", name="Faults")).to_be_hidden()
    await toggle.focus()
    await page.keyboard.press("Enter")
    region = page.get_by_role("region", name="Faults")
    await expect(region).to_be_visible()
    await expect(toggle).to_have_attribute("aria-expanded", "true")
    await region.get_by_role("button", name="Double the next webhook").press("Enter")
    await expect(region.locator(".standing li")).to_have_count(1)
    await expect(page.locator("#standing")).to_have_text("1")
    await handset.types(ADA, SMS, "hello")
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 2)
    await expect(region.locator(".acted li")).to_contain_text("duplicated")
    await expect(region.get_by_text("Nothing goes wrong on purpose.")).to_be_visible()  # it is used up
    await region.get_by_role("combobox", name="Kind").select_option("500_landed")
    await region.get_by_role("textbox", name="How many").fill("")
    await region.get_by_role("button", name="Add this fault").click()
    await expect(region.locator(".standing .count")).to_have_text("0, until lifted")
    await handset.posts(To=ADA, From=SMS, Body="once")
    await expect(region.locator(".standing .count")).to_have_text("1, until lifted")
    await region.get_by_role("button", name="Lift all").click()
    await expect(region.locator(".standing li")).to_have_count(0)
    assert (watched.complaints, watched.foreign) == ([], [])


async def test_what_makes_no_sense_is_told_beside_the_panel(browser: Browser, handset: RunningHandset) -> None:
    watched = await opened(browser, handset)
    await watched.page.get_by_role("link", name="Faults").click()
    await watched.page.get_by_role("combobox", name="Kind").select_option("refused")
    await watched.page.get_by_role("button", name="Add this fault").click()
    await expect(watched.page.get_by_role("alert").filter(has_text="needs a `code`")).to_be_visible()
    await watched.page.get_by_role("textbox", name="Code").fill("21610")
    await watched.page.get_by_role("button", name="Add this fault").click()
    await expect(watched.page.locator(".standing li")).to_have_count(1)
    await expect(watched.page.locator(".error")).to_have_count(0)
    assert watched.foreign == []


async def test_the_counter_follows_what_reaches_the_phones(browser: Browser, handset: RunningHandset) -> None:
    watched = await opened(browser, handset)
    tally = watched.page.locator("#tally")
    await expect(tally).to_contain_text("0 sent to phones")
    for _ in range(2):
        await handset.posts(To=ADA, From=SMS, Body="the same")
    await expect(tally).to_contain_text("2 sent to phones")
    await expect(tally.locator(".bad")).to_have_text("1 came twice")
    await handset.forgets()
    await expect(tally).to_contain_text("0 sent to phones")


async def test_a_button_is_pressed_in_the_browser(browser: Browser, receiver: Receiver) -> None:
    receiver.answers("/kill", Answer(body="The server is gone.", content_type="text/plain"))
    async with running(config_for(receiver, buttons=buttons(receiver))) as handset:
        watched = await opened(browser, handset)
        await watched.page.get_by_role("button", name="Kill the server").click()
        await expect(watched.page.locator("#said")).to_have_text("Kill the server The server is gone.")
        assert (watched.complaints, watched.foreign) == ([], [])


async def test_the_window_is_counted_down_by_handsets_clock(browser: Browser, handset: RunningHandset) -> None:
    watched = await opened(browser, handset)
    await handset.types("whatsapp:+15559876543", "whatsapp:+15551234567", "hello")
    await expect(watched.page.locator(".left")).to_have_text(re.compile(r"^23:59:\d\d left$"))
    await handset.advances(22 * 3600)
    await expect(watched.page.locator(".left")).to_have_text(re.compile(r"^01:59:\d\d left$"))
    await expect(watched.page.locator("#tally")).to_contain_text("clock set")
    await handset.advances(2 * 3600)
    await expect(watched.page.get_by_text("Window closed.")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 1000, 1280])
async def test_the_panel_fits_the_screen(browser: Browser, handset: RunningHandset, width: int) -> None:
    watched = await opened(browser, handset, width=width, height=844)
    await handset.faults("late:10", {"kind": "failed", "code": 30003, "to": "whatsapp:+15559876543", "body": "x" * 60})
    await watched.page.get_by_role("link", name="Faults").click()
    await expect(watched.page.locator(".standing li")).to_have_count(2)
    assert await watched.page.evaluate("document.documentElement.scrollWidth") <= width
    for button in await watched.page.locator("#faults button").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] >= 24  # what a finger hits
    assert (watched.complaints, watched.foreign) == ([], [])
