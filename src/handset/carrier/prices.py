"""What messages cost, in dollars, as Twilio writes it: invented but plausible, by destination and kind."""

from typing import Final

from handset.state.nouns import Message
from handset.template import Template

PER_SEGMENT: Final = (  # the longest prefix counts
    ("+1", 0.0079),
    ("+33", 0.0798),
    ("+34", 0.0746),
    ("+44", 0.0463),
    ("+49", 0.0979),
    ("+52", 0.0636),
    ("+55", 0.0599),
    ("+61", 0.0515),
    ("+91", 0.0832),
)
ELSEWHERE: Final = 0.0800
PER_MMS: Final = 0.0200
PER_WHATSAPP: Final = 0.0050
TEMPLATES: Final = {"UTILITY": 0.0040, "AUTHENTICATION": 0.0040, "MARKETING": 0.0250}


def price(message: Message, template: Template | None) -> str:
    """The price, negative. Meta's fee is for templates alone; that it is waived in an open window is not reproduced."""
    if message.is_whatsapp:
        return f"-{PER_WHATSAPP + (TEMPLATES[template.category] if template else 0.0):.5f}"
    if message.media_urls:
        return f"-{PER_MMS:.5f}"
    rate = next((rate for prefix, rate in PER_SEGMENT if message.to_address.startswith(prefix)), ELSEWHERE)
    return f"-{rate * message.segments:.5f}"
