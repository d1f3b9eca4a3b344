"""A keyword means what its channel says, and a wish to stop counts in any reasonable words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.domain import consent
from overture.domain.channel import Channel
from overture.domain.consent import Meaning
from overture.domain.sender import KeywordHandling, SenderKind

SMS, WHATSAPP, API = Channel.SMS, Channel.WHATSAPP, Channel.API
LONG_CODE, TOLL_FREE, SHORT_CODE = SenderKind.LONG_CODE, SenderKind.TOLL_FREE, SenderKind.SHORT_CODE
OPT_OUT, OPT_IN, HELP, NOTHING = Meaning.OPT_OUT, Meaning.OPT_IN, Meaning.HELP, Meaning.NOTHING
HANDLING = {
    LONG_CODE: KeywordHandling.TWILIO,
    TOLL_FREE: KeywordHandling.NETWORK,
    SHORT_CODE: KeywordHandling.ADVANCED,
    SenderKind.WHATSAPP: KeywordHandling.OURS,
}


def means(channel: Channel, kind: SenderKind, text: str, *, opted_out: bool = False) -> Meaning:
    return consent.meaning(text, channel=channel, sender_kind=kind, opted_out=opted_out, handling=HANDLING[kind])


@pytest.mark.promise("P22")
@pytest.mark.parametrize(
    ("channel", "sender", "text", "meaning"),
    [
        (SMS, LONG_CODE, "stop", OPT_OUT),
        (SMS, LONG_CODE, " STOP \n", OPT_OUT),
        (SMS, LONG_CODE, "Stop.", OPT_OUT),
        (SMS, LONG_CODE, "ｓｔｏｐ", OPT_OUT),
        (SMS, LONG_CODE, "Stop 12345", NOTHING),  # not the whole message
        (SMS, LONG_CODE, "Cancel", OPT_OUT),  # the carrier blocks on it, whatever the agent meant
        (SMS, LONG_CODE, "END", OPT_OUT),
        (SMS, LONG_CODE, "quit", OPT_OUT),
        (SMS, LONG_CODE, "OptOut", OPT_OUT),
        (SMS, LONG_CODE, "revoke", OPT_OUT),
        (SMS, LONG_CODE, "info", HELP),
        (SMS, LONG_CODE, "HELP", HELP),
        (SMS, LONG_CODE, "yes", NOTHING),
        (SMS, TOLL_FREE, "yes", NOTHING),
        (SMS, TOLL_FREE, "stop", OPT_OUT),
        (SMS, TOLL_FREE, "Cancel", OPT_OUT),  # recorded whoever acts on it: to write on would be worse
        (SMS, TOLL_FREE, "help", HELP),
        (SMS, TOLL_FREE, "start", NOTHING),
        (SMS, SHORT_CODE, "UNSUBSCRIBE", OPT_OUT),
        (SMS, SHORT_CODE, "End", OPT_OUT),
        (SMS, SHORT_CODE, "\tquit\r\n", OPT_OUT),
        (SMS, SHORT_CODE, "INFO", HELP),
        (SMS, SHORT_CODE, "yes", NOTHING),
        (SMS, LONG_CODE, "stopall", OPT_OUT),
        (SMS, LONG_CODE, "Unsubscribe", OPT_OUT),
        (SMS, LONG_CODE, "Start", NOTHING),
        (SMS, LONG_CODE, "unstop", NOTHING),
        (SMS, LONG_CODE, "arrêt", NOTHING),
        (SMS, LONG_CODE, "baja", NOTHING),  # a language's word counts where the list is ours
        (WHATSAPP, SenderKind.WHATSAPP, "Stop", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "stopall", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "UNSUBSCRIBE", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, " OptOut ", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "revoke!", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "START", NOTHING),
        (WHATSAPP, SenderKind.WHATSAPP, "yes", NOTHING),
        (WHATSAPP, SenderKind.WHATSAPP, "Arrêt", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "darme de  baja", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "berhenti", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "Afmelden", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "Cancel", NOTHING),
        (WHATSAPP, SenderKind.WHATSAPP, "end", NOTHING),
        (WHATSAPP, SenderKind.WHATSAPP, "quit", NOTHING),
        (WHATSAPP, SenderKind.WHATSAPP, "Baja", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "ABMELDEN!", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "توقف", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "रोकें", OPT_OUT),
        (WHATSAPP, SenderKind.WHATSAPP, "help", HELP),
        (WHATSAPP, SenderKind.WHATSAPP, "info", NOTHING),
        (API, LONG_CODE, "stop", NOTHING),
        (SMS, LONG_CODE, "", NOTHING),
        (SMS, LONG_CODE, "...", NOTHING),
        (SMS, LONG_CODE, "stop" * 100_000, NOTHING),
    ],
)
def test_a_keyword_means_what_its_channel_says(
    channel: Channel, sender: SenderKind, text: str, meaning: Meaning
) -> None:
    assert means(channel, sender, text) is meaning


@pytest.mark.promise("P22")
@pytest.mark.parametrize(
    ("channel", "sender", "text", "meaning"),
    [
        (SMS, LONG_CODE, "Start", OPT_IN),
        (SMS, LONG_CODE, "yes", OPT_IN),
        (SMS, LONG_CODE, "UNSTOP", OPT_IN),
        (SMS, TOLL_FREE, "start", OPT_IN),
        (SMS, TOLL_FREE, "unstop", OPT_IN),
        (SMS, TOLL_FREE, "yes", NOTHING),  # only START and UNSTOP lift a toll-free block
        (WHATSAPP, SenderKind.WHATSAPP, "START", OPT_IN),
        (WHATSAPP, SenderKind.WHATSAPP, "yes", OPT_IN),
        (SMS, SHORT_CODE, "yes", OPT_IN),
        (SMS, SHORT_CODE, " Start. ", OPT_IN),
        (WHATSAPP, SenderKind.WHATSAPP, "unstop", OPT_IN),
        (WHATSAPP, SenderKind.WHATSAPP, "yes please", NOTHING),
        (API, LONG_CODE, "START", NOTHING),
        (SMS, LONG_CODE, "stop", OPT_OUT),
        (SMS, LONG_CODE, "start the car", NOTHING),
    ],
)
def test_words_that_opt_in_count_for_who_is_opted_out(
    channel: Channel, sender: SenderKind, text: str, meaning: Meaning
) -> None:
    assert means(channel, sender, text, opted_out=True) is meaning


def test_an_operator_may_let_more_words_opt_out_on_whatsapp() -> None:
    def meaning(text: str) -> Meaning:
        return consent.meaning(
            text, channel=WHATSAPP, sender_kind=SenderKind.WHATSAPP, opted_out=False,
            handling=KeywordHandling.OURS, also_stop=("Cancel", "end"),
        )  # fmt: skip

    assert meaning("cancel") is OPT_OUT
    assert meaning("quit") is NOTHING


@pytest.mark.promise("P22")
@pytest.mark.parametrize(
    "text",
    [
        "please stop",
        "Stop texting me",
        "STOP MESSAGING ME!!!",
        "Please stop texting me.",
        "pls stop sending me messages",
        "Could you please stop sending me these texts?",
        "I'm not interested. Please stop texting me!",
        "hi, don't text me again",
        "not interested, stop texting me, thanks",
        "Wrong number, please stop texting me",
        "Don’t contact me anymore",
        "do not message me ever again",
        "no more messages please",
        "unsubscribe me",
        "Unsubscribe me from this list",
        "remove me from your list",
        "Please remove my number from your contact list",
        "take me off your mailing list",
        "opt me out",
        "opt-out",
        "I want to opt out",
        "I'd like to unsubscribe",
        "leave me alone",
        "lose my number",
        "I revoke my consent",
        "stop contacting me\nthanks",
        "stop spamming",
    ],
)
def test_a_wish_to_stop_counts_in_any_reasonable_words(text: str) -> None:
    assert means(SMS, LONG_CODE, text) is OPT_OUT
    assert means(WHATSAPP, SenderKind.WHATSAPP, text) is OPT_OUT


@pytest.mark.parametrize(
    "text",
    [
        "I told my ex to stop texting me",
        "Please don't contact me before 9am",
        "Don't text me, call me",
        "When I'm driving, don't text me",
        "where does the bus stop",
        "stop by the office tomorrow",
        "Can you stop the delivery?",
        "I can't stop laughing",
        "don't stop",
        "Cancel my appointment please",
        "when does it end",
        "remove the onions please",
        "is it too late to opt out of the warranty?",
        "no",
        "not now",
        "leave it at the door",
        "send me more messages",
        "please stop " * 40,
    ],
)
def test_conversation_is_not_a_wish_to_stop(text: str) -> None:
    assert means(SMS, LONG_CODE, text) is NOTHING
    assert means(WHATSAPP, SenderKind.WHATSAPP, text) is NOTHING


@given(st.text(st.sampled_from("please stop can you no texting me. ") | st.characters(), max_size=400))
def test_any_text_has_a_meaning_at_once(text: str) -> None:
    assert means(SMS, LONG_CODE, text) in Meaning


def test_politeness_without_end_costs_no_time() -> None:
    for lead in ("you ", "i want you to ", "no now not interested ", "stop any more of these ", "remove me from your "):
        assert not consent.wishes_to_stop((lead * 300)[:290] + "x")
    assert not consent.wishes_to_stop(("please " * 42).strip())
    assert not consent.wishes_to_stop("stop texting me" + " please" * 40 + " x")


@pytest.mark.parametrize(
    ("said", "meaning"), [("STOP", OPT_OUT), ("START", OPT_IN), ("HELP", HELP), (None, NOTHING), ("X", NOTHING)]
)
def test_advanced_opt_out_tells_what_it_understood(said: str | None, meaning: Meaning) -> None:
    assert consent.meaning_of_opt_out_type(said) is meaning


@pytest.mark.parametrize(
    ("text", "channel", "handling", "answers"),
    [
        ("STOP", SMS, KeywordHandling.TWILIO, True),
        ("help", SMS, KeywordHandling.NETWORK, True),
        ("STOP", SMS, KeywordHandling.OURS, False),
        ("STOP", WHATSAPP, KeywordHandling.OURS, False),
        ("please stop texting me", SMS, KeywordHandling.TWILIO, False),
        ("Start", SMS, KeywordHandling.ADVANCED, True),
        ("STOP", WHATSAPP, KeywordHandling.ADVANCED, True),  # found in the list, which lacks OptOutType
        ("Cancel", WHATSAPP, KeywordHandling.ADVANCED, True),
        ("abmelden", WHATSAPP, KeywordHandling.ADVANCED, False),
        ("STOP", WHATSAPP, KeywordHandling.TWILIO, False),  # nobody acts on it there by default
        ("STOP", API, KeywordHandling.ADVANCED, False),
    ],
)
def test_the_provider_answers_its_own_words_only(
    text: str, channel: Channel, handling: KeywordHandling, answers: bool
) -> None:
    assert consent.provider_answers(text, channel=channel, handling=handling) is answers


def test_an_answer_that_opts_out_cannot_be_offered_on_sms() -> None:
    assert consent.reserved_on_sms("Cancel")
    assert consent.reserved_on_sms("Info")
    assert not consent.reserved_on_sms("Yes")
    assert not consent.reserved_on_sms("Cancel it")
