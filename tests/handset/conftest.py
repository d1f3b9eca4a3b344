"""A Handset that hurries, and a receiver for its webhooks."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser

from handset.testing import Receiver, RunningHandset, receiving, running
from tests.handset.browsing import browsing

ADA = "+15550100001"
GRACE = "whatsapp:+15559876543"
SMS = "+15551234567"
TOLL_FREE = "+18005550199"
WHATSAPP = "whatsapp:+15551234567"
SERVICE = "MG" + "1" * 32
APPROVED = "HX" + "1" * 32
PENDING = "HX" + "2" * 32
MARKETING = "HX" + "3" * 32
HURRY = {"sent": 0.01, "delivered": 0.01, "read": 0.01}


def config_for(receiver: Receiver, **changes: Any) -> dict[str, Any]:
    """Two SMS senders and a WhatsApp one that report to the receiver, and three templates."""
    return {
        "numbers": [
            {"address": SMS, "inbound_url": receiver.url("/inbound")},
            {"address": TOLL_FREE, "inbound_url": receiver.url("/inbound")},
            {"address": WHATSAPP, "inbound_url": receiver.url("/inbound")},
        ],
        "services": [{"sid": SERVICE, "numbers": [SMS, WHATSAPP]}],
        "templates": [
            {
                "sid": APPROVED,
                "name": "reminder",
                "body": "Hi {{1}}, see you {{2}}.",
                "variables": {"1": "A", "2": "B"},
            },
            {"sid": PENDING, "name": "pending", "body": "Hello.", "approval": "pending"},
            {"sid": MARKETING, "name": "sale", "body": "Sale!", "category": "MARKETING"},
        ],
        "delays": HURRY,
        **changes,
    }


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver for webhooks."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def handset(receiver: Receiver) -> AsyncIterator[RunningHandset]:
    """A Handset whose senders report to the receiver."""
    async with running(config_for(receiver)) as handset:
        yield handset


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, if there is one."""
    async with browsing() as browser:
        yield browser
