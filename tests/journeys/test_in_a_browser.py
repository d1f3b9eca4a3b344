"""A person answers on the page of phones, in a real browser, and the agent answers them."""

import os
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from tests.journeys.conftest import Phones

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}")
async def test_what_is_typed_on_the_page_is_answered_there(phones: Phones) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = await browser.new_page()
        await page.goto(phones.handset_url)
        ada = page.locator("section.phone", has=page.get_by_role("heading", name="Ada"))
        await expect(ada.locator(".bubble.theirs .text").last).to_contain_text("Answer 1 to confirm")
        box = ada.get_by_role("textbox")
        await box.fill("What time is it?")
        await box.press("Enter")
        await expect(ada.locator(".bubble.theirs .text")).to_contain_text(["Your appointment: Tuesday at 3pm", "It is"])
        await box.fill("1")
        await box.press("Enter")
        await expect(ada.locator(".bubble.theirs .text").last).to_have_text(
            "Thank you Ada, that is confirmed. See you on Tuesday at 3pm!", timeout=10_000
        )
        await browser.close()
