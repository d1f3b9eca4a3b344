"""Inbound webhooks as Twilio posts them, signed beforehand: making them while measuring would measure their making."""

from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from benchmarks.served import ACCOUNT, PUBLIC_URL, SENDER, TOKEN
from overture.adapters.twilio import signature

PATH: Final = "/webhooks/twilio/inbound"
_URL: Final = f"{PUBLIC_URL}{PATH}"
_ALWAYS: Final = {
    "ToCountry": "US",
    "ToState": "CA",
    "ToCity": "SAN FRANCISCO",
    "ToZip": "94105",
    "FromCountry": "US",
    "FromState": "NY",
    "FromCity": "NEW YORK",
    "FromZip": "10001",
    "SmsStatus": "received",
    "Body": "Tomorrow at ten would be fine, thank you!",
    "NumMedia": "0",
    "NumSegments": "1",
    "AccountSid": ACCOUNT,
    "To": SENDER,
    "ApiVersion": "2010-04-01",
}


def write(path: Path, count: int) -> None:
    """One line each: signature, a space, the form; all of one length, each another message of another contact."""
    always = urlencode(_ALWAYS)
    with path.open("w") as lines:
        for n in range(count):
            sid, contact = f"SM{n:032x}", f"+1555{n % 10**7:07d}"
            new = {"SmsMessageSid": sid, "SmsSid": sid, "MessageSid": sid, "From": contact}
            signed = signature.expected(TOKEN, _URL, [*_ALWAYS.items(), *new.items()]).decode()
            form = f"SmsMessageSid={sid}&SmsSid={sid}&MessageSid={sid}&From=%2B{contact[1:]}&{always}"
            lines.write(f"{signed} {form}\n")


def of_line(person: int, line: int) -> tuple[str, str]:
    """The signature and the form of a line: `person/line`, of the contact that `queue.fill` gives that number."""
    sid, contact = f"SM{person:016x}{line:016x}", f"+1555{person:07d}"
    fields = {**_ALWAYS, "Body": f"{person}/{line}", "SmsMessageSid": sid, "SmsSid": sid, "MessageSid": sid}
    fields["From"] = contact
    return signature.expected(TOKEN, _URL, [*fields.items()]).decode(), urlencode(fields)
