"""What a webhook's answer asks for: `<Response><Message>text</Message></Response>` sends a reply.

Attributes `to`, `from` and `statusCallback`, children `Body` and `Media`, after Twilio's TwiML reference for
messaging. An empty answer asks for nothing; `text/plain` is sent as it stands (seen, not documented); what cannot be
read is an error for the debugger and sends nothing.
"""

from dataclasses import dataclass
from xml.etree import ElementTree

import msgspec


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A message that the answer asks for. Addresses are None where the conversation's own are meant."""

    body: str
    media_urls: tuple[str, ...] = ()
    to_address: str | None = None
    from_address: str | None = None
    status_callback: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The replies asked for, or the debugger's code for an answer that cannot be read."""

    replies: tuple[Reply, ...] = ()
    error_code: int | None = None


def parse(body: bytes, *, content_type: str) -> Answer:
    """Read the answer to an inbound webhook."""
    text = body.decode("utf-8", "replace").strip()
    kind = content_type.partition(";")[0].strip().lower()
    if not text:
        return Answer()
    if kind == "text/plain":
        return Answer(replies=(Reply(body=text),))
    if kind not in {"text/xml", "application/xml", "text/html"}:
        return Answer(error_code=12300)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return Answer(error_code=12100)
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - no DOCTYPE, so no entities, and at most 64 KiB
    except ElementTree.ParseError:
        return Answer(error_code=12100)
    if root.tag != "Response":
        return Answer(error_code=12200)
    replies = tuple(_reply(element) for element in root if element.tag in {"Message", "Sms"})
    return Answer(replies=tuple(reply for reply in replies if reply.body or reply.media_urls))


def _reply(element: ElementTree.Element) -> Reply:
    bodies = [child.text or "" for child in element if child.tag == "Body"]
    media = tuple((child.text or "").strip() for child in element if child.tag == "Media")
    return Reply(
        body="".join(bodies) if bodies else (element.text or "").strip(),
        media_urls=tuple(url for url in media if url),
        to_address=element.get("to"),
        from_address=element.get("from"),
        status_callback=element.get("statusCallback"),
    )
