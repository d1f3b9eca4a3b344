"""Webhooks: forged ones do nothing, genuine ones are read once and in words."""

import random
from urllib.parse import urlencode

import pytest

from overture.adapters.twilio import signature
from overture.adapters.twilio.callback import status_callback_url
from overture.adapters.twilio.webhooks import TwilioWebhooks
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import Forbidden, Invalid, Problem, Refusal
from overture.domain.ports import Inbound, RawEvent, StatusReport, WebhookParser, WebhookVerifier

ACCOUNT = "AC" + "a1" * 16
SUB_ACCOUNT = "AC" + "b2" * 16
SID = "SM" + "0c" * 16
OTHER_SID = "SM" + "0d" * 16
TOKENS = {ACCOUNT: ["main token"], SUB_ACCOUNT: ["old token", "new token"]}
BASE = "https://overture.example"
INBOUND = "/webhooks/twilio/inbound"
STATUS = "/webhooks/twilio/status"
SECRET = b"a secret of this instance"

Pairs = list[tuple[str, str]]

SMS: dict[str, str] = {
    "ToCountry": "US", "ToState": "DC", "SmsMessageSid": SID, "NumMedia": "0", "ToCity": "", "FromZip": "01022",
    "SmsSid": SID, "FromState": "MA", "SmsStatus": "received", "FromCity": "CHICOPEE", "Body": "Hello there",
    "FromCountry": "US", "To": "+12028831111", "ToZip": "", "NumSegments": "1", "MessageSid": SID,
    "AccountSid": ACCOUNT, "From": "+14133881111", "ApiVersion": "2010-04-01",
}  # fmt: skip
TAP: dict[str, str] = {
    "OriginalRepliedMessageSender": "whatsapp:+14155238886", "ExternalUserId": "whatsapp:ID.4566546130240823",
    "SmsMessageSid": SID, "FrequentlyForwarded": "false", "NumMedia": "0", "ProfileName": "Ada", "SmsSid": SID,
    "MessageType": "interactive", "WaId": "6285176810035", "SmsStatus": "received", "Body": "Konfirmasi",
    "Forwarded": "false", "ButtonText": "Konfirmasi", "To": "whatsapp:+14155238886", "ButtonPayload": "confirm",
    "NumSegments": "1", "ReferralNumMedia": "0", "MessageSid": SID, "AccountSid": ACCOUNT,
    "OriginalRepliedMessageSid": "MM" + "5c" * 16, "From": "whatsapp:+6285176810035", "ApiVersion": "2010-04-01",
    "ChannelMetadata": '{"type":"whatsapp","data":{"context":{"ButtonText":"Konfirmasi","ProfileName":"Ada"}}}',
}  # fmt: skip
PLACE = {
    **{name: value for name, value in TAP.items() if not name.startswith(("Button", "Original"))},
    "Body": "", "MessageType": "location", "Latitude": "37.78", "Longitude": "-122.39", "Label": "Ferry Building",
    "Address": "1 Ferry Plaza", "ChannelMetadata": "{}",
}  # fmt: skip
LIST = {
    **{name: value for name, value in TAP.items() if not name.startswith("Button")},
    "Body": "Tuesday", "ListId": "day-2", "ListTitle": "Tuesday", "ChannelMetadata": "{}",
}  # fmt: skip
ADVERTISED = {
    **{name: value for name, value in TAP.items() if not name.startswith(("Button", "Original"))},
    "Body": "Is this still on?", "MessageType": "text", "ReferralBody": "Half price until Friday",
    "ReferralCtwaClid": "ARAkLkA8rmlFeiCktEJQ", "ReferralHeadline": "Spring sale", "ReferralMediaId": "7",
    "ReferralMediaContentType": "image/jpeg", "ReferralMediaUrl": "https://ads.example/7.jpg", "ReferralNumMedia": "1",
    "ReferralSourceId": "120208", "ReferralSourceType": "ad", "ReferralSourceUrl": "https://fb.me/3cr4Wqqkv",
    "ChannelMetadata": "{}",
}  # fmt: skip
UNWRITTEN = {name: value for name, value in PLACE.items() if name not in ("Latitude", "Longitude", "Label")}
DELIVERED = {
    "SmsSid": SID, "SmsStatus": "delivered", "MessageStatus": "delivered", "To": "+14133881111", "MessageSid": SID,
    "AccountSid": ACCOUNT, "From": "+12028831111", "ApiVersion": "2010-04-01", "RawDlrDoneDate": "2611220842",
}  # fmt: skip
UNDELIVERED = {
    "EventType": "UNDELIVERED", "SmsSid": SID, "SmsStatus": "undelivered", "MessageStatus": "undelivered",
    "ChannelToAddress": "+1413388XXXX", "To": "whatsapp:+14133881111", "ChannelPrefix": "whatsapp", "MessageSid": SID,
    "AccountSid": ACCOUNT, "ChannelStatusMessage": "Outside the window", "From": "whatsapp:+12028831111",
    "ErrorCode": "63016", "ChannelInstallSid": "XE" + "0" * 32, "ApiVersion": "2010-04-01",
}  # fmt: skip


def webhooks(*bases: str) -> TwilioWebhooks:
    return TwilioWebhooks(accounts=TOKENS, public_base_urls=bases or (BASE,), secret=SECRET)


def signed(pairs: Pairs, *, path: str = INBOUND, token: str = "main token", base: str = BASE) -> str:
    return signature.expected(token, base + path, pairs).decode()


def inbound_event(pairs: Pairs, *, path: str = INBOUND) -> RawEvent:
    body = urlencode(pairs).encode()
    return webhooks().verify_inbound(path_and_query=path, body=body, signature=signed(pairs, path=path))


def read_inbound(fields: dict[str, str]) -> Inbound:
    parser: WebhookParser = webhooks()
    return parser.parse_inbound(inbound_event(list(fields.items())))


def status_event(fields: dict[str, str], path: str = STATUS) -> RawEvent:
    pairs = list(fields.items())
    body = urlencode(pairs).encode()
    return webhooks().verify_status(path_and_query=path, body=body, signature=signed(pairs, path=path))


def read_status(fields: dict[str, str], path: str = STATUS) -> StatusReport:
    return webhooks().parse_status(status_event(fields, path))


def test_a_genuine_message_is_known_by_its_sid_and_ordered_by_its_pair() -> None:
    event = inbound_event(list(SMS.items()))
    assert (event.kind, event.account_sid, event.unique_key) == ("inbound", ACCOUNT, SID)
    assert event.ordering_key == f"{ACCOUNT}|+12028831111|+14133881111"


def test_a_status_is_known_by_its_sid_and_status_whatever_else_it_says() -> None:
    event = status_event(UNDELIVERED)
    assert (event.kind, event.unique_key, event.ordering_key) == ("status", f"{SID}/undelivered", SID)
    assert status_event({**UNDELIVERED, "New": "1"}).unique_key == event.unique_key


def test_the_query_belongs_to_what_is_signed() -> None:
    pairs = list(SMS.items())
    body = urlencode(pairs).encode()
    with pytest.raises(Forbidden):
        webhooks().verify_inbound(path_and_query=INBOUND + "?x=1", body=body, signature=signed(pairs))
    assert inbound_event(pairs, path=INBOUND + "?x=1").query == "x=1"


@pytest.mark.parametrize("token", ["old token", "new token"])
def test_both_tokens_of_a_sub_account_sign_for_it(token: str) -> None:
    pairs = list({**SMS, "AccountSid": SUB_ACCOUNT}.items())
    event = webhooks().verify_inbound(
        path_and_query=INBOUND, body=urlencode(pairs).encode(), signature=signed(pairs, token=token)
    )
    assert event.account_sid == SUB_ACCOUNT


@pytest.mark.parametrize("base", [BASE, "https://overture.example:443", "http://127.0.0.1:8080", "http://127.0.0.1"])
def test_every_configured_url_counts_with_and_without_its_port(base: str) -> None:
    pairs = list(SMS.items())
    event = webhooks(BASE + "/", "http://127.0.0.1:8080").verify_inbound(
        path_and_query=INBOUND, body=urlencode(pairs).encode(), signature=signed(pairs, base=base)
    )
    assert event.unique_key == SID


@pytest.mark.promise("P6")
@pytest.mark.parametrize(
    ("fields", "token", "base"),
    [
        (SMS, "another token", BASE),
        (SMS, "main token", "https://elsewhere.example"),
        ({**SMS, "AccountSid": SUB_ACCOUNT}, "main token", BASE),
        ({**SMS, "AccountSid": "AC" + "c3" * 16}, "main token", BASE),
        ({**SMS, "AccountSid": ""}, "main token", BASE),
        ({name: value for name, value in SMS.items() if name != "AccountSid"}, "main token", BASE),
    ],
)
def test_a_webhook_of_nobody_we_know_is_forbidden(fields: dict[str, str], token: str, base: str) -> None:
    pairs = list(fields.items())
    with pytest.raises(Forbidden):
        webhooks().verify_inbound(
            path_and_query=INBOUND, body=urlencode(pairs).encode(), signature=signed(pairs, token=token, base=base)
        )


@pytest.mark.parametrize("given", [None, "", "x", "é" * 40, "\0", "=" * 100_000])
@pytest.mark.parametrize("body", [b"", b"&&&", b"\xff\xfe", b"AccountSid", f"AccountSid={ACCOUNT}".encode()])
def test_garbage_is_forbidden_and_nothing_worse(given: str | None, body: bytes) -> None:
    verifier: WebhookVerifier = webhooks()
    for verify in (verifier.verify_inbound, verifier.verify_status):
        with pytest.raises(Forbidden):
            verify(path_and_query=INBOUND, body=body, signature=given)


@pytest.mark.parametrize(
    "wrong",
    [
        {"MessageSid": "SM123", "SmsSid": "SM123", "SmsMessageSid": "SM123"},
        {"MessageSid": SID.upper(), "SmsSid": SID.upper(), "SmsMessageSid": SID.upper()},
        {"SmsSid": OTHER_SID},
        {"From": "VERIZON"},
        {"From": ""},
        {"To": "+1202883111x"},
        {"To": "+12028831111\n"},
    ],
)
def test_a_signed_webhook_that_makes_no_sense_is_invalid(wrong: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        inbound_event(list({**SMS, **wrong}.items()))


@pytest.mark.parametrize("name", ["MessageSid", "AccountSid", "From", "To", "Body", "NumMedia"])
def test_a_field_that_we_read_may_stand_once(name: str) -> None:
    with pytest.raises(Refusal):
        inbound_event([*SMS.items(), (name, SMS[name] + "1")])


@pytest.mark.promise("P6")
@pytest.mark.parametrize(
    "recut",
    [
        # what a contact wrote, made into fields: the genuine sender hides in a field of no name
        {"Body": "x", "From": "+19995550000", "FromZzz": "From+14133881111FromCityCHICOPEE"},
        {"Body": "x", "MessageSid": OTHER_SID, "SmsSid": OTHER_SID, "Zz": f"MessageSid{SID}"},
        {"Body": "x", "MessageSid": OTHER_SID, "NumZMessageSid": SID},
        {"Body": "x", "NAFrom22395MessageSid": SID, "MessageSid": OTHER_SID},
    ],
)
def test_a_signed_text_cut_elsewhere_gives_nobody_else_s_message(recut: dict[str, str]) -> None:
    genuine_names = {"SmsMessageSid", "SmsSid", "MessageSid", "From", "FromCity", "Body"}
    fields = {name: value for name, value in SMS.items() if name not in genuine_names} | recut
    with pytest.raises(Invalid):
        inbound_event(sorted(fields.items()))


def _recut(dice: random.Random, fields: dict[str, str]) -> Pairs:
    """The same signed text with its boundaries moved, dropped or added."""
    pairs = sorted(fields.items())
    for _ in range(dice.choice([1, 1, 2, 3])):
        at = dice.randrange(len(pairs))
        name, value = pairs[at]
        text = name + value
        match dice.choice(["move", "swallow", "split"]):
            case "move":
                cut = dice.randint(0, len(text))
                pairs[at] = (text[:cut], text[cut:])
            case "swallow" if at + 1 < len(pairs):
                pairs[at : at + 2] = [(name, value + "".join(pairs[at + 1]))]
            case _:
                first, second, third = sorted(dice.choices(range(len(text) + 1), k=3))
                pairs[at : at + 1] = [(text[:first], text[first:second]), (text[second:third], text[third:])]
    return pairs


@pytest.mark.promise("P6")
@pytest.mark.parametrize("fields", [SMS, TAP, PLACE, LIST, ADVERTISED])
def test_ten_thousand_recuts_of_a_signed_message_are_refused_or_say_the_same(fields: dict[str, str]) -> None:
    dice = random.Random(7)
    genuine, hooks, accepted = read_inbound(fields), webhooks(), 0
    given = signed(list(fields.items()))
    for _ in range(2500):
        pairs = _recut(dice, fields)
        try:
            body = urlencode(pairs).encode()
            event = hooks.verify_inbound(path_and_query=INBOUND, body=body, signature=given)
            assert hooks.parse_inbound(event) == genuine, pairs
            accepted += 1
        except Refusal:
            continue
    assert accepted > 0  # names that nobody reads may be recut at will: it has no effect


@pytest.mark.promise("P6")
@pytest.mark.parametrize("fields", [DELIVERED, UNDELIVERED])
def test_recuts_of_a_signed_status_are_refused_or_say_the_same(fields: dict[str, str]) -> None:
    dice = random.Random(8)
    genuine, hooks = read_status(fields), webhooks()
    given = signed(list(fields.items()), path=STATUS)
    for _ in range(3500):
        pairs = _recut(dice, fields)
        try:
            body = urlencode(pairs).encode()
            event = hooks.verify_status(path_and_query=STATUS, body=body, signature=given)
            assert hooks.parse_status(event) == genuine, pairs
        except Refusal:
            continue


@pytest.mark.parametrize("text", [
    "From: me, To: you", "ButtonText", "what is NumMedia?", "Address: 12 Main St. Label it", "MessageSid", "Body",
    "To be or not To2be", 'To "From" Longitude', "", "é漢😀", "STOP", "ProfileName=x&From=+1", "Forwarded",
])  # fmt: skip
def test_a_text_may_hold_nearly_any_name(text: str) -> None:
    expected = text or "[empty message]"
    if text == "ButtonText":  # only this is refused: bare, it could be the button's own field
        with pytest.raises(Invalid):
            read_inbound({**SMS, "Body": text})
    else:
        assert read_inbound({**SMS, "Body": text}).text == expected


def test_parameters_that_nobody_told_us_of_change_nothing() -> None:
    new = {
        "FromCarrier": "T",
        "ParentAccountSid": ACCOUNT,
        "ThreadMessageSid": OTHER_SID,
        "BodyFormat": "plain",
        "x": "",
    }
    assert read_inbound({**SMS, **new}) == read_inbound(SMS)


@pytest.mark.parametrize(
    ("wrote", "told", "known"),
    [
        ("whatsapp:+6285176810035", "whatsapp:ID.4566546130240823", "whatsapp:ID.4566546130240823"),
        ("whatsapp:+6285176810035", "whatsapp:ID.ENT.4566", "whatsapp:ID.ENT.4566"),
        ("whatsapp:ID.4566546130240823", "whatsapp:+6285176810035", "whatsapp:+6285176810035"),
        ("whatsapp:ID.4566546130240823", "whatsapp:ID.4566546130240823", None),  # the number is hidden
        ("whatsapp:+6285176810035", "", None),
        ("whatsapp:+6285176810035", "ID.4566546130240823", None),
        ("whatsapp:+6285176810035", "whatsapp:+6285176810036", None),
        ("whatsapp:+6285176810035", "whatsapp:id.1", None),
        ("whatsapp:+6285176810035", "whatsapp:ID." + "1" * 129, None),
        ("+6285176810035", "whatsapp:ID.4566546130240823", None),
    ],
)
def test_the_writer_s_other_address_is_read_where_it_has_the_form_of_one(
    wrote: str, told: str, known: str | None
) -> None:
    read = read_inbound({**TAP, "From": wrote, "ExternalUserId": told})
    assert (read.contact, read.also_known_as) == (wrote, known)


@pytest.mark.parametrize("wrong", [
    {"MessageType": "text NumMedia"},
    {"NumMedia": "2"}, {"NumMedia": "x"}, {"NumMedia": "0001000000"}, {"NumMedia": "-1"}, {"OptOutType": "MAYBE"},
    {"NumMedia": "1", "MediaUrl0": "file:///etc/passwd"}, {"OriginalRepliedMessageSid": "no sid"},
])  # fmt: skip
def test_what_cannot_be_read_is_invalid(wrong: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        read_inbound({**SMS, **wrong})


def test_no_nul_reaches_the_inside() -> None:
    assert read_inbound({**SMS, "Body": "a\0b"}).text == "ab"


def test_advanced_opt_out_says_what_it_did() -> None:
    assert read_inbound({**SMS, "Body": "STOP", "OptOutType": "STOP"}).opt_out_type == "STOP"


def _callback_path(message_id: str, attempt: int) -> str:
    url = status_callback_url(BASE + "/", message_id, attempt, SECRET)
    path, _, fragment = url.removeprefix(BASE).partition("#")
    assert fragment == "rc=3&rp=ct,rt,5xx"
    return path


def test_a_callback_tells_whose_it_is() -> None:
    path = _callback_path("018f-é/?&", 3)
    report = read_status(UNDELIVERED, path)
    assert (report.message_id, report.attempt) == ("018f-é/?&", 3)
    assert (report.sid, report.status, report.error_code) == (SID, DeliveryStatus.UNDELIVERED, 63016)


@pytest.mark.parametrize(
    "path",
    [
        STATUS,
        _callback_path("018f", 3).replace("m=018f", "m=018e"),
        _callback_path("018f", 3).replace("a=3", "a=4"),
        _callback_path("018f", 3)[:-1],
        _callback_path("018f", 3) + "&m=018f",
        STATUS + "?m=018f&a=x&v=",
        STATUS + "?" + "&".join(["m=1"] * 300),
        STATUS + "?m=%ff%00&a=&v=%e9",
    ],
)
def test_a_callback_whose_mac_is_wrong_is_one_without(path: str) -> None:
    report = read_status(DELIVERED, path)
    assert (report.message_id, report.attempt) == (None, None)
    assert report.status is DeliveryStatus.DELIVERED


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("accepted", DeliveryStatus.QUEUED),
        ("scheduled", DeliveryStatus.QUEUED),
        ("sending", DeliveryStatus.SENDING),
        ("read", DeliveryStatus.READ),
        ("partially_delivered", DeliveryStatus.DELIVERED),
        ("canceled", DeliveryStatus.CANCELED),
    ],
)
def test_every_status_of_twilio_has_one_of_ours(word: str, status: DeliveryStatus) -> None:
    assert read_status({**DELIVERED, "MessageStatus": word}).status is status


@pytest.mark.parametrize("wrong", [{"MessageStatus": "banana"}, {"MessageStatus": ""}, {"ErrorCode": "x"}])
def test_a_status_that_nobody_knows_is_invalid(wrong: dict[str, str]) -> None:
    with pytest.raises(Problem):
        read_status({**DELIVERED, **wrong})
