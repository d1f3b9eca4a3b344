"""A person looks after a conversation in the inbox, on a phone of their own, in a real browser."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.handset.browsing import Watched, browsing
from tests.journeys.conftest import OUR_WHATSAPP, Phones

HEDY, OURS = "+15550100007", OUR_WHATSAPP.partition(":")[2]
BOOKING = "2a886b7d-d52d-4f8b-8ea0-19d3edc79214"  # an agent of the demo


@pytest.fixture
async def inbox(phones: Phones) -> AsyncIterator[Watched]:
    """The inbox's door, on a narrow screen."""
    async with browsing() as browser:
        context = await browser.new_context(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
        watched = Watched(await context.new_page(), phones.overture_url)
        await watched.page.goto(f"{phones.overture_url}/inbox")
        yield watched


async def fits(page: Page) -> None:
    """Nothing is wider than the screen, and everything to be pressed is large enough for a finger."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sizes = await page.locator("button:visible, input:visible, textarea:visible").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 44


async def starts(phones: Phones) -> str:
    """The id of a conversation with Hedy, whose phone the demo's script leaves alone."""
    body = {
        "agent_id": BOOKING,
        "channel": "sms",
        "to_number": HEDY,
        "from_number": OURS,
        "initial_message": "Hello Hedy, it is the salon.",
    }
    headers = {"Authorization": f"Bearer {phones.key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{phones.overture_url}/v2/chat/outbound", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["response"]["conversation_id"])


async def test_a_conversation_is_taken_over_written_into_and_handed_back_on_a_phone(
    inbox: Watched, phones: Phones
) -> None:
    page = inbox.page
    an_id = await starts(phones)
    await fits(page)
    await page.get_by_label("Your name").fill("Bo")
    await page.get_by_label("API key").fill(phones.key)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Waiting for a person")).to_be_visible()
    await fits(page)
    await page.locator(f'a[href="/inbox/{an_id}"]').click()
    await expect(page.locator(".state")).to_have_text("Its agent has the conversation.")
    await expect(page.locator(".line .bubble").first).to_have_text("Hello Hedy, it is the salon.")
    await fits(page)
    await page.get_by_role("button", name="Take over", exact=True).focus()
    await page.keyboard.press("Enter")  # with the keyboard alone
    await expect(page.locator(".state")).to_have_text("Bo has the conversation.")
    box = page.get_by_label("Write to the contact")
    await box.fill("Bo of the salon here.")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator(".operator .bubble")).to_have_text("Bo of the salon here.")
    await expect(page.locator(".operator .under")).to_contain_text("delivered", timeout=15_000)  # without a reload
    await page.get_by_role("button", name="Hand back to the agent").click()
    await expect(page.locator(".state")).to_have_text("Its agent has the conversation.")
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_role("heading", name="Waiting for a person")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("API key")).to_be_visible()
    assert (inbox.complaints, inbox.foreign) == ([], [])


async def test_what_is_being_typed_stays_while_news_come(inbox: Watched, phones: Phones) -> None:
    page = inbox.page
    an_id = await starts(phones)
    await page.get_by_label("API key").fill(phones.key)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    await page.goto(f"{phones.overture_url}/inbox/{an_id}")
    await page.get_by_label("Write to the contact").fill("Half a sent")
    await phones.types(HEDY, OURS, "Are you there?")
    await expect(page.locator(".line.in .bubble").last).to_have_text("Are you there?", timeout=15_000)
    await expect(page.get_by_label("Write to the contact")).to_have_value("Half a sent")
    await expect(page.get_by_label("Write to the contact")).to_be_focused()
    await page.get_by_role("button", name="End", exact=True).click()
    assert inbox.complaints == []
