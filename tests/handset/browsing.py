"""A browser, and a page of it that is watched."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from handset.testing import RunningHandset

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
PRESENT = CHROMIUM.exists()
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@contextlib.asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Chromium, if there is one."""
    if not PRESENT:
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"no Chromium at {CHROMIUM}, and REQUIRE_ALL=1 asks for it")
        pytest.skip(f"no Chromium at {CHROMIUM}; set CHROMIUM")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        await browser.close()


class Watched:
    """A page under watch: what it complained about, and whom it asked."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        host = urlsplit(base_url).netloc
        page.on("request", lambda r: self.foreign.append(r.url) if urlsplit(r.url).netloc != host else None)


async def opened(browser: Browser, handset: RunningHandset, *, width: int = 1280, height: int = 900) -> Watched:
    context = await browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    watched = Watched(await context.new_page(), handset.base_url)
    await watched.page.goto(handset.base_url)
    await expect(watched.page.locator('.live[data-state="on"]')).to_have_count(1)
    return watched
