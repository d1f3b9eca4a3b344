"""The page of phones: read without scripts, used with them, and closed to everybody else's content."""

import re

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from handset.testing import Answer, Receiver, RunningHandset
from tests.handset.browsing import opened
from tests.handset.conftest import ADA, APPROVED, GRACE, SMS, WHATSAPP

Http = aiohttp.ClientSession


async def test_the_page_can_be_read_without_scripts(handset: RunningHandset, http: Http) -> None:
    await handset.types(GRACE, WHATSAPP, "<b>hello</b> & welcome")
    await handset.types(ADA, SMS, "STOP")
    async with http.get(handset.base_url) as response:
        html = await response.text()
    assert "&lt;b&gt;hello&lt;/b&gt; &amp; welcome" in html
    assert "<b>hello" not in html
    assert "Window open" in html
    assert "Stopped." in html
    assert not re.search(r"\sstyle=|<script>|\son\w+=", html)


async def test_a_lost_webhook_is_seen_on_the_phone(handset: RunningHandset, http: Http) -> None:
    await handset.faults({"kind": "lost", "on": "inbound", "next": 1})
    await handset.types(ADA, SMS, "hello")
    async with http.get(handset.base_url) as response:
        html = await response.text()
    assert "<strong>Webhook lost</strong> On purpose" in html
    assert "Webhook answered" not in html


async def test_the_page_lets_nothing_foreign_in(handset: RunningHandset, http: Http) -> None:
    async with http.get(handset.base_url) as response:
        policy = response.headers["Content-Security-Policy"]
        assert policy == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "same-origin"
        files = re.findall(r'(?:href|src)="(/static/[^"]+)"', await response.text())
    assert len(files) == 3
    for file in files:
        async with http.get(handset.base_url + file) as response:
            assert response.status == 200
            assert "immutable" in response.headers["Cache-Control"]
    for other in ("handset.css", "..%2fpage.py", "handset.000000000000.js"):
        async with http.get(f"{handset.base_url}/static/{other}") as response:
            assert response.status == 404


async def test_forms_work_without_scripts(handset: RunningHandset, http: Http) -> None:
    url = handset.base_url
    async with http.post(f"{url}/phones/messages", data={"from": ADA, "to": SMS, "body": "hello"}) as response:
        assert response.status == 200
        assert "hello" in await response.text()
    form = {"name": "Alan", "number": "+1 (555) 010-0099", "channel": "whatsapp"}
    async with http.post(f"{url}/phones", data=form) as response:
        assert "Alan" in await response.text()
    assert "whatsapp:+15550100099" in [phone["address"] for phone in await handset.phones()]
    async with http.post(f"{url}/phones", data={"number": "<x>"}) as response:
        assert response.status == 400
        assert "&lt;x&gt;" in await response.text()
    async with http.post(f"{url}/phones/forget"):
        assert await handset.messages() == []


async def test_a_crowd_of_phones_is_cut_to_the_newest(handset: RunningHandset, http: Http) -> None:
    for number in range(70):
        await handset.types(f"+15550200{number:03}", SMS, "hello")
    async with http.get(handset.base_url) as response:
        html = await response.text()
    assert html.count('<section class="phone') == 60
    assert "12 older phones are not shown" in html


@pytest.mark.parametrize("path", ["/phones", "/phones/messages", "/phones/forget"])
async def test_a_foreign_pages_form_is_refused(handset: RunningHandset, http: Http, path: str) -> None:
    headers = {"Origin": "https://example.com"}
    async with http.post(handset.base_url + path, data={"body": "x"}, headers=headers) as response:
        assert response.status == 403
    async with http.post(handset.base_url + path, data={"body": "x" * 70_000}) as response:
        assert response.status == 413


# -- in a browser


async def test_what_is_typed_is_answered_before_ones_eyes(
    browser: Browser, handset: RunningHandset, receiver: Receiver
) -> None:
    receiver.answers("/inbound", Answer(body="<Response><Message>Hello Grace</Message></Response>"))
    watched = await opened(browser, handset)
    phone = watched.page.get_by_role("region", name="Grace")
    await expect(phone.get_by_text("Window closed.")).to_be_visible()
    box = phone.get_by_role("textbox", name="Message from Grace")
    await box.fill("two")
    await box.press("Shift+Enter")
    await box.press_sequentially("lines")
    await box.press("Enter")
    await expect(phone.locator(".bubble.mine .text")).to_have_text("two\nlines")
    await expect(phone.locator(".bubble.mine .tick.two")).to_have_attribute("title", re.compile("answered 200"))
    await expect(phone.locator(".bubble.theirs .text")).to_have_text("Hello Grace")
    await expect(phone.locator(".bubble.theirs .tick.seen")).to_have_attribute("title", "Read")
    await expect(phone.locator(".left")).to_have_text(re.compile(r"^23:59:\d\d left$"))
    await expect(box).to_be_focused()
    await expect(box).to_have_value("")
    assert (watched.complaints, watched.foreign) == ([], [])


async def test_failures_templates_and_stops_are_seen(browser: Browser, handset: RunningHandset) -> None:
    watched = await opened(browser, handset)
    grace = watched.page.get_by_role("region", name="Grace")
    await handset.posts(To=GRACE, From=WHATSAPP, Body="free text")
    await expect(grace.locator(".failed .problem")).to_contain_text("63016")
    await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=APPROVED)
    await expect(grace.locator(".bubble.template .tag")).to_have_text("Template")
    ada = watched.page.get_by_role("region", name="Ada")
    await ada.get_by_role("button", name="STOP").click()
    await expect(ada.get_by_text("Stopped.")).to_be_visible()
    await expect(ada.locator(".bubble.carrier")).to_contain_text("unsubscribed")
    await ada.get_by_role("button", name="START").click()
    await expect(ada.get_by_text("Stopped.")).to_have_count(0)
    await expect(ada.get_by_role("combobox", name="To")).to_have_value(SMS)
    assert (watched.complaints, watched.foreign) == ([], [])


async def test_an_answer_being_written_shows_until_it_comes(
    browser: Browser, handset: RunningHandset, http: Http
) -> None:
    watched = await opened(browser, handset)
    sid = await handset.types(GRACE, WHATSAPP, "hello")
    dots = watched.page.get_by_role("region", name="Grace").locator(".typing")
    await expect(dots).to_be_hidden()
    headers = {"Authorization": aiohttp.encode_basic_auth(handset.account_sid, handset.auth_token)}
    url = f"{handset.base_url}/v2/Indicators/Typing.json"
    async with http.post(url, data={"messageId": sid, "channel": "whatsapp"}, headers=headers) as response:
        assert await response.json() == {"success": True}
    await expect(dots).to_be_visible()
    await handset.posts(To=GRACE, From=WHATSAPP, Body="here it is")
    await expect(dots).to_be_hidden()
    for form, status in [({"messageId": sid, "channel": "sms"}, 400), ({"channel": "whatsapp"}, 404)]:
        async with http.post(url, data=form, headers=headers) as response:
            assert response.status == status


async def test_phones_come_and_conversations_go(browser: Browser, handset: RunningHandset) -> None:
    watched = await opened(browser, handset)
    await handset.posts(To="+15550100077", From=SMS, Body="hello")
    await expect(watched.page.locator(".phone")).to_have_count(3)
    await expect(watched.page.get_by_text("hello")).to_be_visible()
    await watched.page.get_by_role("textbox", name="Message from Grace").fill("half a thou")
    await handset.forgets()
    await expect(watched.page.locator(".bubble")).to_have_count(0)
    await expect(watched.page.get_by_role("textbox", name="Message from Grace")).to_have_value("half a thou")
    await watched.page.get_by_text("Add a phone").click()
    await watched.page.get_by_label("Name").fill("Alan")
    await watched.page.get_by_label("Number").fill("+15550100099")
    await watched.page.get_by_role("button", name="Add", exact=True).click()
    await expect(watched.page.get_by_role("region", name="Alan")).to_be_visible()
    assert (watched.complaints, watched.foreign) == ([], [])


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 900)])
async def test_a_phone_fits_the_screen(browser: Browser, handset: RunningHandset, width: int, height: int) -> None:
    watched = await opened(browser, handset, width=width, height=height)
    box = watched.page.get_by_role("textbox", name="Message from Ada")
    await box.fill("hello from here")
    await watched.page.get_by_role("region", name="Ada").get_by_role("button", name="Send").click()
    await expect(watched.page.locator(".bubble.mine .text")).to_have_text("hello from here")
    assert await watched.page.evaluate("document.documentElement.scrollWidth") <= width
    frame = await watched.page.get_by_role("region", name="Ada").bounding_box()
    assert frame is not None
    assert frame["x"] >= 0
    assert frame["x"] + frame["width"] <= width
    assert frame["y"] + frame["height"] <= height
    assert (watched.complaints, watched.foreign) == ([], [])


async def test_the_page_takes_up_again_after_a_break(browser: Browser, handset: RunningHandset) -> None:
    watched = await opened(browser, handset)
    await watched.page.context.set_offline(True)
    await handset.types(ADA, SMS, "while you were away")
    await watched.page.context.set_offline(False)
    await expect(watched.page.get_by_text("while you were away")).to_be_visible(timeout=15_000)
