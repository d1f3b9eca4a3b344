"""Twilio's error codes in its own words, as far as Handset gives them: for the API, callbacks and the page."""

from typing import Final

TEXTS: Final[dict[int, str]] = {
    11200: "HTTP retrieval failure",
    11205: "HTTP connection failure",
    11210: "HTTP bad host name",
    12100: "Document parse failure",
    12200: "Schema validation warning",
    12300: "Invalid Content-Type",
    21211: "Invalid 'To' phone number",
    21212: "Invalid 'From' number",
    21610: "Attempt to send to unsubscribed recipient",
    30001: "Queue overflow",
    30003: "Unreachable destination handset",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30019: "Content size exceeds carrier limit",
    30036: "Validity Period Expired",
    63003: "Channel could not find To address",
    63013: "This message send failed because it violates Channel provider's policy",
    63015: "Channel Sandbox can only send messages to phone numbers that have joined the Sandbox",
    63016: (
        "Failed to send freeform message because you are outside the allowed window. "
        "If you are using WhatsApp, please use a Message Template."
    ),
    63018: "Rate limit exceeded for Channel",
    63019: "Media failed to download",
    63034: "Media exceeds size limit",
    63021: "Channel invalid content error",
    63024: "Invalid message recipient",
    63027: "Template does not exist for a language and locale",
    63028: "Number of parameters provided does not match the expected number of parameters",
    63040: "Template rejected",
    63041: "Template paused",
    63042: "Template disabled",
    63049: "Meta chose not to deliver this WhatsApp marketing message",
}


def text_of(code: int | None) -> str | None:
    """The code's meaning in a sentence; None for none."""
    return None if code is None else TEXTS.get(code, f"Error {code}")
