"""The page: pictures, buttons and rows on the phones, files from them, and the templates' approvals."""

import re

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from handset.testing import Receiver, RunningHandset, running
from tests.handset.browsing import opened
from tests.handset.conftest import ADA, APPROVED, GRACE, SMS, WHATSAPP, config_for
from tests.handset.rest import ask
from tests.handset.test_content import LIST, QUICK, create
from tests.handset.test_media import PNG

Http = aiohttp.ClientSession


async def asked(handset: RunningHandset, types: dict[str, object]) -> str:
    """A message with something to tap, on Grace's phone."""
    await handset.types(GRACE, WHATSAPP, "hello")
    sid = (await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=await create(handset, types)))["sid"]
    await handset.wait_for_status(sid, "read")
    return str(sid)


async def test_buttons_rows_and_approvals_work_without_scripts(handset: RunningHandset, http: Http) -> None:
    quick, listed = await asked(handset, QUICK), await asked(handset, LIST)
    for sid, choice in ((quick, "yes-1"), (listed, "pm")):
        async with http.post(f"{handset.base_url}/phones/taps", data={"message": sid, "choice": choice}) as response:
            assert response.status == 200
    bodies = [message["body"] for message in await handset.messages(GRACE) if message["direction"] == "inbound"]
    assert bodies == ["hello", "hello", "Yes", "Evening"]
    async with http.post(f"{handset.base_url}/phones/taps", data={"message": quick, "choice": "<b>"}) as response:
        assert response.status == 404
        assert "&lt;b&gt;" in await response.text()
    form = {"sid": APPROVED, "approval": "paused"}
    async with http.post(f"{handset.base_url}/phones/templates", data=form) as response:
        assert "is paused now." in await response.text()
    assert (await ask(handset, "GET", f"/v1/Content/{APPROVED}/ApprovalRequests"))[1]["whatsapp"]["status"] == "paused"


@pytest.mark.parametrize(("form", "status"), [({"sid": APPROVED, "approval": "?"}, 400), ({"approval": "paused"}, 404)])
async def test_a_decision_that_makes_no_sense_is_refused(
    handset: RunningHandset, http: Http, form: dict[str, str], status: int
) -> None:
    async with http.post(f"{handset.base_url}/phones/templates", data=form) as response:
        assert response.status == status


async def test_what_stands_beside_the_text_can_be_read_without_scripts(receiver: Receiver, http: Http) -> None:
    history = [{"from": ADA, "to": SMS, "body": "old", "at": "2026-01-01T10:00:00Z"}]
    async with running(config_for(receiver, history=history)) as handset:
        await handset.puts_phone(GRACE, name="Grace", answers_as="whatsapp:US.1", bsuid="US.1", username="grace.h")
        await handset.sends_file(GRACE, WHATSAPP, PNG, "image/png")
        await handset.sends_file(GRACE, WHATSAPP, b"OggS", "audio/ogg")
        await handset.sends_file(GRACE, WHATSAPP, b"<script>", "text/html")
        await handset.types(GRACE, WHATSAPP, "", location={"latitude": 1, "longitude": 2, "label": "<i>Office"})
        await handset.types(ADA, SMS, "and", reply_to=(await handset.messages(ADA))[0]["sid"])
        await handset.posts(To=ADA, From=SMS, MediaUrl="https://files.example.com/a.png")
        async with http.get(handset.base_url) as response:
            html = await response.text()
        store = re.findall(r'(?:img|audio class="file" controls preload="none") src="(/handset/store/\w+)"', html)
        assert len(store) == 2
        assert "&lt;i&gt;Office" in html
        assert "answers as US.1" in html
        assert "@grace.h" in html
        assert "From before" in html
        assert "<code>https://files.example.com/a.png</code>" in html
        page = re.findall(r'href="(/handset/store/\w+)" download', html)
        async with http.get(handset.base_url + page[0]) as response:
            assert response.headers["Content-Disposition"] == "attachment"  # a page from a phone opens nowhere
            assert "sandbox" in response.headers["Content-Security-Policy"]


# -- in a browser


async def test_a_file_is_sent_and_a_button_tapped_before_ones_eyes(
    browser: Browser, handset: RunningHandset, receiver: Receiver
) -> None:
    watched = await opened(browser, handset)
    grace = watched.page.get_by_role("region", name="Grace")
    await grace.get_by_role("textbox", name="Message from Grace").fill("my roof")
    file = {"name": "roof.png", "mimeType": "image/png", "buffer": PNG}
    await grace.get_by_label("Attach a file").set_input_files(file)  # type: ignore[arg-type]
    await expect(grace.get_by_role("img", name="Picture")).to_be_visible()
    await expect(grace.locator(".bubble.mine .text")).to_have_text("my roof")
    await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=await create(handset, QUICK))
    button = grace.get_by_role("button", name="Yes")
    await expect(button).to_be_enabled()
    await button.click()
    await expect(grace.locator(".bubble.mine .quote")).to_contain_text("Does May 3 suit you?")
    await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=await create(handset, LIST))
    await expect(grace.get_by_text("Times", exact=True)).to_be_visible()
    await expect(grace.locator(".theirs .tick.seen")).to_have_count(2)
    await grace.get_by_text("Times", exact=True).click()
    await grace.get_by_role("button", name="Morning").click()
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 3)
    assert [r.params.get("ListId") or r.params.get("ButtonPayload") for r in receiver.at("/inbound")] == [
        None,
        "yes-1",
        "am",
    ]
    assert (watched.complaints, watched.foreign) == ([], [])


async def test_it_fits_a_narrow_screen(browser: Browser, handset: RunningHandset) -> None:
    await asked(handset, LIST)
    await asked(handset, QUICK)
    watched = await opened(browser, handset, width=360, height=780)
    for summary in ("Templates", "Connect"):
        await watched.page.get_by_text(summary, exact=True).click()
    widths = await watched.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]
