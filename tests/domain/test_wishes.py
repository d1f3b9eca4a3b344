"""Wishes to get no more messages in five languages besides English: at once, whole clauses only, and never slowly."""

import time

import pytest

from overture.domain import consent, wishes
from overture.domain.channel import Channel
from overture.domain.consent import Meaning
from overture.domain.sender import KeywordHandling, SenderKind
from tests.domain.wish_tables import NEAR_MISSES, WISHES

LANGUAGES = sorted(WISHES)


def sentences(table: str) -> list[str]:
    return [line.strip() for line in table.strip().splitlines()]


def meaning(text: str, channel: Channel) -> Meaning:
    return consent.meaning(
        text,
        channel=channel,
        sender_kind=SenderKind.LONG_CODE,
        opted_out=False,
        handling=KeywordHandling.TWILIO,
    )


@pytest.mark.promise("P22")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wish_to_stop_is_understood(language: str) -> None:
    said = sentences(WISHES[language])
    assert len(said) >= 40
    assert {text: wishes.language_of(text) for text in said} == dict.fromkeys(said, language)
    for text in said:
        for channel in (Channel.SMS, Channel.WHATSAPP):
            assert meaning(text, channel) is Meaning.OPT_OUT, text
            assert meaning(text.upper() + "!!", channel) is Meaning.OPT_OUT, text
            assert meaning(f"Hm. {text}. Ok?", channel) is Meaning.OPT_OUT, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_that_only_looks_like_it_is_an_answer(language: str) -> None:
    said = sentences(NEAR_MISSES[language])
    assert len(said) >= 40
    assert [text for text in said if meaning(text, Channel.SMS) is not Meaning.NOTHING] == []
    assert [text for text in said if consent.wishes_to_stop(text)] == []


@pytest.mark.parametrize(
    "piece",
    [
        "bitte ",
        "no ",
        "por favor no ",
        "deja de ",
        "ne m'envoyez plus ",
        "non mi scrivete ",
        "nao ",
        "please stop ",
        "\u0301",
    ],
)
def test_no_text_takes_long_to_read(piece: str) -> None:
    for length in (299, 10_000):
        text = (piece * 10_000)[:length]
        began = time.perf_counter()
        consent.wishes_to_stop(text)
        wishes.language_of(text)
        assert time.perf_counter() - began < 0.5, (piece, length)


def test_a_wish_may_be_longer_than_any_keyword() -> None:
    text = "I am not interested in this at all, sorry to say so. Please stop sending me these messages, thank you."
    assert len(text) > 64
    assert meaning(text, Channel.SMS) is meaning(text, Channel.WHATSAPP) is Meaning.OPT_OUT


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        ("STOP", "You have been unsubscribed"),
        ("uitschrijven", "You have been unsubscribed"),
        ("Abmelden!", "Sie sind abgemeldet"),
        ("BAJA", "Te hemos dado de baja"),
        ("arrêt", "Vous êtes désabonné"),
        ("Parar", "A sua inscrição foi cancelada"),
        ("cancellami", "La tua iscrizione"),
        ("Lasst mich in Ruhe", "Sie sind abgemeldet"),
        ("x" * 10_000, "You have been unsubscribed"),
    ],
)
def test_an_opt_out_is_confirmed_in_its_language(said: str, begins: str) -> None:
    assert consent.confirmation(said).startswith(begins)
    assert "START" in consent.confirmation(said)
