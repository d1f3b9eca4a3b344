"""Who takes part in the demo: the sender, the phones, the agents, and what is said."""

import json
import re
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from overture.cli import demo_handset, telling
from overture.domain.agent import Json

SENDER: Final = "+15551234567"
BOOKING: Final = "2a886b7d-d52d-4f8b-8ea0-19d3edc79214"
REMINDER: Final = "0b6f0a52-6f0e-4c0b-9a53-6f2f6f1d2a11"
CONCIERGE: Final = "5f1c2d3e-4b5a-4c6d-8e7f-90a1b2c3d4e5"

_AGENTS: Final = Path(__file__).parents[3] / "agents"
_ID: Final = re.compile(r"^id: (\S+)$", re.MULTILINE)


class Cast(Struct, frozen=True, kw_only=True):
    """A person with a phone, the agent that writes to it, and the call that makes it do so."""

    name: str
    number: str
    channel: str
    agent_id: str
    agent_name: str
    file: str
    opening: str | None = None
    variables: dict[str, Json] = {}
    answers: tuple[str, ...] = ()

    @property
    def phone(self) -> str:
        """The phone's address, as Twilio writes it."""
        return self.number if self.channel == "sms" else f"whatsapp:{self.number}"

    @property
    def sender(self) -> str:
        """Our address that this phone is written to from."""
        return SENDER if self.channel == "sms" else f"whatsapp:{SENDER}"

    @property
    def call(self) -> dict[str, Json]:
        """The body of the call that opens the conversation."""
        call: dict[str, Json] = {
            "agent_id": self.agent_id,
            "channel": self.channel,
            "to_number": self.number,
            "from_number": SENDER,
        }
        if self.opening is not None:
            call["initial_message"] = self.opening
        if self.variables:
            call["custom_variables"] = self.variables
        return call


GRACE: Final = Cast(
    name="Grace",
    number="+15559876543",
    channel="whatsapp",
    agent_id=BOOKING,
    agent_name="Booking",
    file="booking.yaml",
    opening="Hi! How can I help you today?",
    answers=("I'd like to book an appointment", "a haircut", "Tuesday", "3pm", "Grace", "yes"),
)
ADA: Final = Cast(
    name="Ada",
    number="+15550100001",
    channel="sms",
    agent_id=REMINDER,
    agent_name="Appointment reminder",
    file="appointment-reminder.yaml",
    variables={"customer_name": "Ada", "appointment": "Tuesday at 3pm"},
    answers=("1",),
)
LINUS: Final = Cast(
    name="Linus",
    number="+15550100003",
    channel="sms",
    agent_id=CONCIERGE,
    agent_name="Concierge",
    file="concierge.yaml",
    variables={"guest_name": "Linus", "arrival": "Friday"},
)


def cast(*, with_model: bool) -> tuple[Cast, ...]:
    """Who takes part; the concierge thinks with a model and comes only where there is one."""
    return (GRACE, ADA, LINUS) if with_model else (GRACE, ADA)


def handset_config(people: tuple[Cast, ...], webhook: str, *, once: bool, kill: str) -> dict[str, Any]:
    """Handset's configuration: our two senders, whose messages go to the webhook, the phones, and the kill switch.

    Messages travel as slowly as an eye likes it; nobody watches a script.
    """
    seconds = (0.1, 0.1, 0.1) if once else (0.3, 0.7, 1.5)
    return {
        "accounts": [{"sid": demo_handset.ACCOUNT_SID, "auth_token": demo_handset.AUTH_TOKEN, "name": "Demo"}],
        "numbers": [{"address": address, "inbound_url": webhook} for address in (SENDER, f"whatsapp:{SENDER}")],
        "delays": dict(zip(("sent", "delivered", "read"), seconds, strict=True)),
        "phones": [{"address": person.phone, "name": person.name} for person in people],
        "buttons": [
            {
                "id": "kill",
                "label": "Kill Overture",
                "url": kill,
                "hint": "kill -9, in the middle of whatever it does; the demo starts it again",
            }
        ],
    }


def specification(person: Cast) -> str:
    """The text of the agent that writes to a person, from the folder of shipped agents."""
    try:
        text = (_AGENTS / person.file).read_text(encoding="utf-8")
    except OSError as missing:
        telling.stop(f"The demo's agent is not there: {missing.filename}.", hint="Run the demo in a clone of Overture.")
    found = _ID.search(text)
    if found is None or found[1] != person.agent_id:
        telling.stop(f"{_AGENTS / person.file} no longer holds the agent {person.agent_id}.")
    return text


def curl(base_url: str, key: str) -> str:
    """The call that opens Grace's conversation, for pasting into a shell."""
    body = json.dumps(GRACE.call, indent=2).replace("'", "'\\''")
    return (
        f"curl -sS {base_url}/v2/chat/outbound \\\n"
        f"  -H 'Authorization: Bearer {key}' \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'"
    )
