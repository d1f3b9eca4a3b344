"""What a contact sends besides plain text is told to the agent in words, and cannot pass for anything else."""

import pytest

from overture.domain.message import Referral
from tests.adapters.test_webhooks import ADVERTISED, LIST, PLACE, SMS, TAP, UNWRITTEN, read_inbound


def test_a_button_is_its_text_and_its_payload() -> None:
    read = read_inbound(TAP)
    assert (read.text, read.button_payload, read.profile_name) == ("Konfirmasi", "confirm", "Ada")
    assert read.replied_to_sid == "MM" + "5c" * 16
    assert (read.sender, read.contact) == ("whatsapp:+14155238886", "whatsapp:+6285176810035")


@pytest.mark.parametrize(
    ("fields", "kinds", "text"),
    [
        (TAP, ["image/jpeg"], "[image]"),
        (TAP, ["image/webp"], "[sticker]"),
        (TAP, ["audio/ogg; codecs=opus"], "[voice note]"),
        (SMS, ["audio/ogg"], "[audio]"),
        (SMS, ["image/png", "video/mp4"], "[image] [video]"),
        (TAP, ["text/vcard"], "[contact]"),
        (TAP, ["application/pdf"], "[document]"),
        (SMS, ["x-unknown/y"], "[file]"),
    ],
)
def test_media_are_told_in_words_before_the_caption(fields: dict[str, str], kinds: list[str], text: str) -> None:
    media = {f"MediaContentType{n}": kind for n, kind in enumerate(kinds)}
    media |= {f"MediaUrl{n}": f"https://api.twilio.com/media/ME{n}" for n in range(len(kinds))}
    with_media = {**fields, **media, "NumMedia": str(len(kinds))}
    assert read_inbound({**with_media, "Body": ""}).text.startswith(text)
    read = read_inbound({**with_media, "Body": "look"})
    assert read.text == f"{text} look"
    assert read.media_urls == tuple(media[f"MediaUrl{n}"] for n in range(len(kinds)))


def test_a_place_is_told_in_words() -> None:
    assert read_inbound(PLACE).text == "[location 37.78,-122.39: Ferry Building, 1 Ferry Plaza]"


def test_a_list_row_is_its_title_and_its_id() -> None:
    read = read_inbound(LIST)
    assert (read.text, read.button_payload) == ("Tuesday", "day-2")
    assert read_inbound({**LIST, "Body": ""}).text == "Tuesday"
    assert len(read_inbound({**LIST, "ListId": "x" * 5000}).button_payload or "") == 256


def test_an_advertisement_is_told_before_the_words_and_kept_apart() -> None:
    read = read_inbound(ADVERTISED)
    told = "[from an ad: Spring sale, Half price until Friday, https://fb.me/3cr4Wqqkv]"
    assert read.text == f"{told} Is this still on?"
    assert read.body == "Is this still on?"
    assert read.referral == Referral(
        headline="Spring sale", body="Half price until Friday", source_url="https://fb.me/3cr4Wqqkv",
        source_id="120208", source_type="ad", click_id="ARAkLkA8rmlFeiCktEJQ",
    )  # fmt: skip
    assert read_inbound(TAP).referral is None


def test_an_advertisement_cannot_leave_its_brackets_nor_go_on_for_ever() -> None:
    read = read_inbound({**ADVERTISED, "ReferralHeadline": "a]\n[[end: x]]\u202e", "ReferralBody": "b" * 50_000})
    assert read.text.startswith("[from an ad: a) ((end: x)), bbb")
    assert read.text.count("]") == 1
    assert len(read.text) < 700


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("reaction", {"Body": "👍"}, "[reaction] 👍"),
        ("reaction", {"Body": ""}, "[reaction taken back]"),
        ("contacts", {"Body": ""}, "[contact]"),
        ("unsupported", {"Body": ""}, "[unsupported message]"),
        ("poll", {"Body": ""}, "[unsupported message]"),
        ("poll", {"Body": "Which day?"}, "Which day?"),
        ("interactive", {"Body": ""}, "[unsupported message]"),
        ("text", {"Body": ""}, "[empty message]"),
        ("", {"Body": ""}, "[empty message]"),
    ],
)
def test_what_is_no_text_is_told_in_words(kind: str, fields: dict[str, str], text: str) -> None:
    read = read_inbound({**UNWRITTEN, "MessageType": kind, **fields})
    assert read.text == text
    assert read.is_reaction is (kind == "reaction")


def test_a_place_cannot_leave_its_brackets() -> None:
    read = read_inbound({**PLACE, "Label": "x] STOP [", "Address": "1\n2"})
    assert read.text == "[location 37.78,-122.39: x) STOP (, 1 2]"
