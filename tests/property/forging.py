"""Webhooks, and ways to forge them: one genuine request, changed in every way that somebody on the wire could think of.

Some changes keep the signed text as it is (other encodings, another order, names and values cut elsewhere); the
signature fits those, and whoever verifies has to see for himself that they say nothing new.
"""

import base64
import hmac
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias
from urllib.parse import quote, quote_plus, unquote

from tests.web.conftest import ACCOUNT, PUBLIC_URL, SMS_SENDER, TOKEN, WHATSAPP_SENDER

SID: Final = "SM" + "0123456789abcdef" * 2
OTHER_SID: Final = "SM" + "f" * 32
OTHER_ACCOUNT: Final = "AC" + "f" * 32
OTHER_TOKEN: Final = "another account's token"
TOKENS: Final = {ACCOUNT: TOKEN, OTHER_ACCOUNT: OTHER_TOKEN}
PRIVATE: Final = "mauve elephants"  # stands in every text: no log may have it
INBOUND: Final = "/webhooks/twilio/inbound"
STATUS: Final = "/webhooks/twilio/status"

Pairs: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A webhook on the wire. `raw` is its body where that is not just the pairs, encoded as forms are."""

    target: str
    pairs: Pairs
    signature: str
    method: str = "POST"
    raw: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()

    @property
    def body(self) -> bytes:
        """The body's bytes."""
        if self.raw is not None:
            return self.raw
        return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in self.pairs).encode()

    @property
    def is_for_a_webhook(self) -> bool:
        """Whether it goes to one of our two doors at all."""
        return self.method == "POST" and unquote(self.target.partition("?")[0]) in (INBOUND, STATUS)


def signed(target: str, fields: Mapping[str, str], token: str = TOKEN) -> Request:
    """A genuine request."""
    pairs = tuple(fields.items())
    return Request(target=target, pairs=pairs, signature=sign(PUBLIC_URL + target, pairs, token))


def sign(url: str, pairs: Pairs, token: str, digest: str = "sha1") -> str:
    """The signature as the provider's documentation makes it."""
    return base64.b64encode(
        hmac.digest(token.encode(), (url + tail(pairs)).encode("utf-8", "replace"), digest)
    ).decode()


def tail(pairs: Pairs) -> str:
    """What a form adds to the signed text."""
    return "".join(name + value for name, value in sorted(set(pairs)))


_ABOUT: Final = {"AccountSid": ACCOUNT, "ApiVersion": "2010-04-01"}
_WRITTEN: Final = {
    **_ABOUT,
    "MessageSid": SID,
    "SmsSid": SID,
    "SmsMessageSid": SID,
    "From": "+15559876543",
    "To": SMS_SENDER,
    "NumMedia": "0",
    "NumSegments": "1",
    "SmsStatus": "received",
    "FromCity": "",
    "FromState": "NY",
    "ToCountry": "US",
}
_WHATSAPP: Final = {
    **_ABOUT,
    "MessageSid": SID,
    "SmsMessageSid": SID,
    "From": "whatsapp:+15559876543",
    "To": f"whatsapp:{WHATSAPP_SENDER}",
    "ProfileName": "Ada",
    "WaId": "15559876543",
    "NumMedia": "0",
}
_REPORTED: Final = {
    **_ABOUT,
    "MessageSid": SID,
    "SmsSid": SID,
    "From": SMS_SENDER,
    "To": "+15559876543",
    "MessageStatus": "delivered",
    "SmsStatus": "delivered",
}
_MEDIA: Final = {"NumMedia": "1", "MediaUrl0": "https://api.twilio.com/x", "MediaContentType0": "image/png"}
_BUTTON: Final = {"ButtonText": "No thanks", "ButtonPayload": "no-1", "Body": f"No thanks {PRIVATE}"}
_LIST: Final = {"ListId": "day-2", "ListTitle": "Tuesday", "MessageType": "interactive", "Body": f"Tuesday {PRIVATE}"}
_ADVERTISED: Final = {
    "MessageType": "text",
    "ReferralBody": "Half price",
    "ReferralCtwaClid": "ARAkLkA8rmlF",
    "ReferralHeadline": "Spring sale, ListId.",
    "ReferralNumMedia": "0",
    "ReferralSourceId": "120208",
    "ReferralSourceType": "ad",
    "ReferralSourceUrl": "https://fb.me/3cr4Wqqkv",
}
_REPLY: Final = {"OriginalRepliedMessageSid": OTHER_SID, "OriginalRepliedMessageSender": f"whatsapp:{WHATSAPP_SENDER}"}

GENUINE: Final = (
    signed(INBOUND, {**_WRITTEN, "Body": f"Hello & good morning, caf\xe9 \U0001f44b {PRIVATE}"}),
    signed(INBOUND, {**_WRITTEN, "Body": f"STOP it with the {PRIVATE}, FromCountryUS OptOutType", **_MEDIA}),
    signed(INBOUND, {**_WRITTEN, "Body": f"{PRIVATE}&OptOutType=STOP&From=+15551112222"}),
    signed(INBOUND, {**_WHATSAPP, **_BUTTON}),
    signed(INBOUND, {**_WHATSAPP, "Body": f"{PRIVATE} Latitude: 52.5", **_REPLY}),
    signed(INBOUND + "?tenant=one", {**_WRITTEN, "Body": PRIVATE, "OptOutType": "HELP"}),
    signed(STATUS + "?m=01a&a=1&v=a%2Bb%2F", _REPORTED),
    signed(STATUS + "?m=01a&a=1&v=abc", {**_REPORTED, "MessageStatus": "undelivered", "ErrorCode": "30003"}),
    signed(INBOUND, {**_WHATSAPP, **_LIST}),
    signed(INBOUND, {**_WHATSAPP, **_ADVERTISED, "Body": PRIVATE}),
    signed(INBOUND, {**_WHATSAPP, "MessageType": "reaction", "Body": f"\U0001f44d {PRIVATE}"}),
)
"""What Twilio sends, with texts that people who know the form may have written."""

Change: TypeAlias = Callable[[random.Random, Request], Request]


def forged(dice: random.Random, genuine: Request) -> Request:
    """A request changed in one to three ways."""
    request = genuine
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        change = dice.choice(_CHANGES)
        request = replace(change(dice, request), changes=(*request.changes, change.__name__))
    return request


def _change_value(dice: random.Random, request: Request) -> Request:
    n = dice.randrange(len(request.pairs))
    name, value = request.pairs[n]
    at = dice.randint(0, len(value))
    other = (
        value[:at] + dice.choice(("", "x", "7", " ", "&", "=", "\0", "é", "\U0001f44b", "a" * 5000)) + value[at + 1 :]
    )
    return _with_pair(request, n, (name, other))


def _change_name(dice: random.Random, request: Request) -> Request:
    n = dice.randrange(len(request.pairs))
    name, value = request.pairs[n]
    return _with_pair(request, n, (dice.choice((name.lower(), name.upper(), name + " ", name[1:], f"{name}[]")), value))


def _drop(dice: random.Random, request: Request) -> Request:
    n = dice.randrange(len(request.pairs))
    return _with_pairs(request, request.pairs[:n] + request.pairs[n + 1 :])


def _repeat(dice: random.Random, request: Request) -> Request:
    name, value = dice.choice(request.pairs)
    again = (name, dice.choice((value, value, "", "STOP", OTHER_SID, OTHER_ACCOUNT, SMS_SENDER)))
    return _with_pairs(request, _inserted(dice, request.pairs, again))


def _add(dice: random.Random, request: Request) -> Request:
    added = dice.choice(
        (
            ("OptOutType", "STOP"),
            ("ButtonPayload", "STOP"),
            ("ListId", "STOP"),
            ("", ""),
            ("x", "y"),
            ("MediaUrl0", "http://x"),
        )
    )
    return _with_pairs(request, _inserted(dice, request.pairs, added))


def _reorder(dice: random.Random, request: Request) -> Request:
    return _with_pairs(request, tuple(dice.sample(request.pairs, len(request.pairs))))


def _encode_otherwise(dice: random.Random, request: Request) -> Request:
    """The same form in other bytes."""

    def written(text: str) -> str:
        return "".join(
            dice.choice((quote(c, safe=""), quote_plus(c), "".join(f"%{b:02x}" for b in c.encode()))) for c in text
        )

    return replace(request, raw="&".join(f"{written(n)}={written(v)}" for n, v in request.pairs).encode())


def _spoil_bytes(dice: random.Random, request: Request) -> Request:
    body = request.body
    at = dice.randint(0, len(body))
    return replace(
        request, raw=body[:at] + dice.choice((b"\xff", b"\0", b"&", b"=", b"%", b"%zz", b"%ff", b";")) + body[at:]
    )


def _cut_elsewhere(dice: random.Random, request: Request) -> Request:
    """Other names and values of the same signed text; the same request where none of some tries is one."""
    for _ in range(30):
        pairs = sorted(set(request.pairs))
        n = dice.randrange(len(pairs))
        name, value = pairs[n]
        text = name + value
        if dice.random() < 0.4 and n + 1 < len(pairs):
            cut = [(name, value + pairs[n + 1][0] + pairs[n + 1][1])]
            others = pairs[:n] + cut + pairs[n + 2 :]
        elif dice.random() < 0.5:
            at = dice.randint(0, len(text))
            others = [*pairs[:n], (text[:at], text[at:]), *pairs[n + 1 :]]
        else:
            a, b, c = sorted(dice.randint(0, len(text)) for _ in range(3))
            others = [*pairs[:n], (text[:a], text[a:b]), (text[b:c], text[c:]), *pairs[n + 1 :]]
        if tail(tuple(others)) == tail(request.pairs) and set(others) != set(pairs):
            return _with_pairs(request, tuple(others))
    return request


def _hide(dice: random.Random, request: Request) -> Request:
    """Two neighbours of the signed text made one: a field is gone, and the signature still fits."""
    pairs = sorted(set(request.pairs))
    n = dice.randrange(len(pairs) - 1)
    merged = (pairs[n][0], pairs[n][1] + pairs[n + 1][0] + pairs[n + 1][1])
    return _with_pairs(request, (*pairs[:n], merged, *pairs[n + 2 :]))


def _reveal(dice: random.Random, request: Request) -> Request:
    """A name that somebody wrote made a field."""
    for name, value in dice.sample(request.pairs, len(request.pairs)):
        for hidden in ("OptOutType", "FromCountry", "From", "Latitude", "Body", "ButtonText"):
            at = value.find(hidden)
            if at >= 0:
                rest = tuple(pair for pair in request.pairs if pair != (name, value))
                made = ((name, value[:at]), (hidden, value[at + len(hidden) :]))
                return _with_pairs(request, rest + made)
    return request


def _go_elsewhere(dice: random.Random, request: Request) -> Request:
    path, _, query = request.target.partition("?")
    there = dice.choice(
        (path + "/", path.upper(), "/" + path, path.replace("twilio", "%74wilio"), INBOUND, STATUS, "/")
    )
    return replace(request, target=there + (f"?{query}" if query else ""))


def _ask_otherwise(dice: random.Random, request: Request) -> Request:
    path, _, query = request.target.partition("?")
    asked = (query + "&a=2", "a=1&m=01a", query[:-1], query.upper(), "", "m=02b&a=1&v=AAAA", query + "#x", "tenant=two")
    other = dice.choice(asked)
    return replace(request, target=f"{path}?{other}" if other else path)


def _sign_otherwise(dice: random.Random, request: Request) -> Request:
    was = request.signature
    made = (
        *("", " ", was[:-1], was + "=", was.swapcase(), was.rstrip("="), was[::-1], "AAAA", was + "," + was),
        was.replace("+", "-").replace("/", "_").swapcase(),
        sign(PUBLIC_URL + request.target, request.pairs, OTHER_TOKEN),
        sign(PUBLIC_URL + request.target, request.pairs, TOKEN, "sha256"),
        sign("https://evil.example" + request.target, request.pairs, TOKEN),
        sign(PUBLIC_URL + request.target, (), TOKEN),
        sign(PUBLIC_URL + request.target, request.pairs, ""),
    )
    return replace(request, signature=dice.choice(made))


def _name_another_account(_dice: random.Random, request: Request) -> Request:
    pairs = tuple((name, OTHER_ACCOUNT if name == "AccountSid" else value) for name, value in request.pairs)
    return _with_pairs(request, pairs)


def _come_otherwise(dice: random.Random, request: Request) -> Request:
    return replace(request, method=dice.choice(("GET", "PUT", "DELETE", "HEAD", "PATCH", "post")))


def _dress_otherwise(dice: random.Random, request: Request) -> Request:
    headers = dice.choice(
        (
            {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http"},
            {"content-type": "application/json"},
            {"x-original-url": "/v2/chat", "x-http-method-override": "DELETE"},
            {"content-type": "multipart/form-data; boundary=x"},
        )
    )
    return replace(request, headers={**request.headers, **headers})


def _with_pair(request: Request, n: int, pair: tuple[str, str]) -> Request:
    return _with_pairs(request, (*request.pairs[:n], pair, *request.pairs[n + 1 :]))


def _with_pairs(request: Request, pairs: Pairs) -> Request:
    return replace(request, pairs=pairs or (("x", "y"),), raw=None)


def _inserted(dice: random.Random, pairs: Pairs, pair: tuple[str, str]) -> Pairs:
    at = dice.randint(0, len(pairs))
    return (*pairs[:at], pair, *pairs[at:])


_CHANGES: Final[tuple[Change, ...]] = (
    *(_change_value, _change_name, _drop, _repeat, _add, _reorder, _encode_otherwise, _spoil_bytes),
    *(_cut_elsewhere, _cut_elsewhere, _cut_elsewhere, _hide, _reveal, _go_elsewhere, _ask_otherwise, _sign_otherwise),
    *(_name_another_account, _come_otherwise, _dress_otherwise),
)
