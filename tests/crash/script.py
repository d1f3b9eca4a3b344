"""What happens in every case: who is written to, and what they answer. It needs no model.

Each contact's answers are words of their own, and the agent repeats the word it heard and nothing else, so that a text
at the provider tells which line it answers. Two openings of the same text go to the same number on purpose, over SMS
and as a template over WhatsApp, and one contact says the same word twice: what is equal must be told apart by count.
"""

from typing import Any, Final

from msgspec import Struct

SMS_SENDER: Final = "+15551230001"
WHATSAPP_SENDER: Final = "whatsapp:+15551230002"
AGENT: Final = "listener"
TEMPLATE_SID: Final = "HX" + "0" * 31 + "1"
TEMPLATE_BODY: Final = "Opening of {{1}}: which word?"
HANDED_OVER: Final = "A colleague writes to you here."
COLLEAGUE: Final = "colleague"  # the word of HANDED_OVER that answers a wish for a person
UNSUBSCRIBED: Final = "unsubscribed"  # the word of CONFIRMATION that answers a STOP
GIVEN_UP: Final = "We cannot answer that now."  # what the agent says when a turn of its own has failed three times
FIXED: Final = (HANDED_OVER,)

LISTENER: Final[dict[str, Any]] = {
    "kind": "flow",
    "id": AGENT,
    "name": "Listener",
    "on_active": "join",
    "hand_over_message": HANDED_OVER,
    "fallback": GIVEN_UP,
    "globals": [{"phrases": ["a person please"], "hand_over": "The contact asks for a person."}],
    "nodes": {
        "start": {"say": "Which word?", "ask": {"slot": "word"}, "goto": "heard"},
        "heard": {
            "say": "Noted {word}.",
            "ask": {"slot": "word"},
            "then": [{"if": 'word == "alpha-end"', "goto": "bye"}, {"goto": "heard"}],
        },
        "bye": {"say": "Goodbye {word}.", "end": "completed"},
    },
}
"""The agent's answer to a word holds that word and no other of the contact's."""


class Word(Struct, frozen=True, kw_only=True):
    """A line to type, the word that a reply to it repeats, and whether a reply must come."""

    body: str
    echo: str | None
    is_owed: bool = True


class Step(Struct, frozen=True, kw_only=True):
    """Lines that are typed at once, as soon as their contact has read so many messages."""

    after: int
    words: tuple[Word, ...]


class Person(Struct, frozen=True, kw_only=True):
    """A contact: an address, how often a client asks for a conversation with them, and what they type.

    `insists`: the client asks again with the same key until it reads an answer.
    """

    name: str
    address: str
    openings: int = 1
    insists: bool = True
    steps: tuple[Step, ...] = ()

    @property
    def sender(self) -> str:
        """The sender that this contact has to do with."""
        return WHATSAPP_SENDER if self.address.startswith("whatsapp:") else SMS_SENDER

    @property
    def opening(self) -> str:
        """What the contact reads first."""
        return TEMPLATE_BODY.replace("{{1}}", self.name)

    def request(self) -> dict[str, Any]:
        """The body of the call for a conversation."""
        whatsapp = self.address.startswith("whatsapp:")
        template = {"content_sid": TEMPLATE_SID, "variables": {"1": self.name}}
        return {
            "agent_id": AGENT,
            "channel": "whatsapp" if whatsapp else "sms",
            "to_number": self.address.removeprefix("whatsapp:"),
            "from_number": self.sender.removeprefix("whatsapp:"),
            **({"template": template} if whatsapp else {"initial_message": self.opening}),
        }


def _says(after: int, *bodies: str, owed: bool = True) -> Step:
    return Step(after=after, words=tuple(Word(body=body, echo=body, is_owed=owed) for body in bodies))


PEOPLE: Final = (
    Person(
        name="ada",
        address="+15550100001",
        steps=(_says(1, "alpha-1"), _says(2, "alpha-2"), _says(3, "alpha-end")),
    ),
    Person(name="bob", address="+15550100002", openings=2, steps=(_says(2, "bravo-1"),)),
    Person(
        name="cleo",
        address="whatsapp:+15550100003",
        openings=2,
        steps=(_says(2, "charlie-1"), _says(3, "charlie-1")),
    ),
    Person(
        name="dora",
        address="whatsapp:+15550100004",
        openings=0,
        steps=(
            _says(0, "delta-1"),
            Step(
                after=1,
                words=(
                    Word(body="delta-2", echo="delta-2", is_owed=False),
                    Word(body="STOP", echo=UNSUBSCRIBED),
                ),
            ),
            _says(2, "delta-3", owed=False),
        ),
    ),
    Person(name="emil", address="+15550100005", steps=(_says(1, "echo-1", "echo-2", "echo-3"),)),
    Person(
        name="fay",
        address="+15550100006",
        steps=(
            Step(after=1, words=(Word(body="A person please", echo=COLLEAGUE),)),
            _says(2, "foxtrot-1", owed=False),
        ),
    ),
    Person(name="gil", address="+15550100007", insists=False),
)


def handset_config(*, port: int, seed: int) -> dict[str, Any]:
    """Handset's configuration: our senders, their webhooks as an operator would set them, and the template."""
    inbound = f"http://127.0.0.1:{port}/webhooks/twilio/inbound#rc=3&rp=ct,rt,5xx"
    return {
        "numbers": [{"address": address, "inbound_url": inbound} for address in (SMS_SENDER, WHATSAPP_SENDER)],
        "phones": [{"address": person.address, "name": person.name} for person in PEOPLE],
        "templates": [{"sid": TEMPLATE_SID, "name": "opening", "body": TEMPLATE_BODY, "variables": {"1": "you"}}],
        "delays": {"sent": 0.2, "delivered": 0.5, "read": None},
        "seed": seed,
    }
