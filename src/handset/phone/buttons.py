"""The buttons that whoever started Handset added: each one makes Handset POST to a URL of this machine."""

from dataclasses import dataclass
from typing import Final

import aiohttp

from handset.config import Button

PATIENCE_SECONDS: Final = 10.0
SHOWN: Final = 300  # characters of an answer


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a pressed button was answered."""

    label: str
    text: str
    is_good: bool


async def press(button: Button) -> Said:
    """Press it, and wait for the answer; whatever goes wrong is told as one."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.post(button.url, headers={"Handset-Button": button.id}, allow_redirects=False) as response,
        ):
            body = await response.content.read(4 * SHOWN)
            text = body.decode("utf-8", "replace").strip()
            text = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
            return Said(label=button.label, text=text or f"answered {response.status}", is_good=response.status < 400)
    except TimeoutError:
        return Said(label=button.label, text=f"no answer within {PATIENCE_SECONDS:g} s", is_good=False)
    except (aiohttp.ClientError, OSError) as error:
        return Said(label=button.label, text=f"no answer: {error}", is_good=False)
