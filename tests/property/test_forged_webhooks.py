"""A forged webhook does nothing, as Twilio's own library understands forged.

What that library rejects is answered 403 and leaves no row. What it accepts although it is not what Twilio sent (the
signed text has no separators) is refused as well, or says exactly what the genuine one says.
"""

import dataclasses
import random
from collections import Counter
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from overture.adapters.twilio.webhooks import TwilioWebhooks
from overture.domain.ports import Inbound, RawEvent, StatusReport
from overture.store.statement import Command, Query
from overture.web.app import make_app
from tests.property import forging
from tests.property.forging import GENUINE, OTHER_ACCOUNT, PRIVATE, TOKENS, Request
from tests.reaching import Reached
from tests.sizes import size
from tests.web.asgi import Client, Reply
from tests.web.conftest import PUBLIC_URL
from tests.web.conftest import World as Web

MUTATIONS = size(small=1_200, full=10_000)
WEBHOOKS = TwilioWebhooks(
    accounts={sid: [token] for sid, token in TOKENS.items()}, public_base_urls=[PUBLIC_URL], secret=b"s"
)


class _Multi(dict[str, list[str]]):
    """What Twilio's library takes for a form with repeated names."""

    def getall(self, name: str) -> list[str]:
        return self[name]


def is_genuine_to_twilio(request: Request) -> bool:
    """Whether Twilio's library says so, with the token of an account that the form names."""
    form = _Multi()
    for name, value in parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True):
        form.setdefault(name, []).append(value)
    tokens = [TOKENS[account] for account in form.get("AccountSid", []) if account in TOKENS]
    url = PUBLIC_URL + request.target
    return any(RequestValidator(token).validate(url, form, request.signature) for token in tokens)


def client(web: Web) -> Client:
    """The application as the provider calls it: without a key."""
    return Client(make_app(dataclasses.replace(web.parts, verifier=WEBHOOKS)))


async def deliver(to: Client, request: Request) -> Reply:
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": request.signature}
    return await to.call(request.method, request.target, body=request.body, headers={**headers, **request.headers})


async def taken_from(web: Web) -> list[RawEvent]:
    """What was kept, which is then forgotten."""
    found = await web.store.read(
        lambda tx: tx.all(Query("SELECT kind, account_sid, unique_key, ordering_key, query, body FROM inbox"))
    )
    if found:
        await web.store.write(lambda tx: tx.run(Command("DELETE FROM inbox")))
    return [
        RawEvent(kind=r[0], account_sid=r[1], unique_key=r[2], ordering_key=r[3], query=r[4], body=bytes(r[5]))
        for r in found
    ]


def meant_by(event: RawEvent) -> Inbound | StatusReport:
    """What is made of a kept event."""
    return WEBHOOKS.parse_inbound(event) if event.kind == "inbound" else WEBHOOKS.parse_status(event)


@pytest.mark.promise("P6")
async def test_whatever_is_changed_on_the_way_does_nothing(
    web: Web, reached: Reached, capfd: pytest.CaptureFixture[str]
) -> None:
    dice, to = random.Random(6), client(web)
    meant = []
    for genuine in GENUINE:
        assert (await deliver(to, genuine)).status in (200, 204), genuine
        [event] = await taken_from(web)
        meant.append((event.unique_key, meant_by(event)))
    statuses: Counter[str] = Counter()
    for n in range(MUTATIONS):
        which = n % len(GENUINE)
        request = forging.forged(dice, GENUINE[which])
        reply = await deliver(to, request)
        if not request.is_for_a_webhook:
            assert reply.status in (200, 404, 405, 307), (request, reply)
            statuses["no webhook's door"] += 1
        elif not is_genuine_to_twilio(request):
            assert reply.status == 403, (request, reply)
            statuses["rejected by Twilio's validator, 403"] += 1
        elif reply.status not in (200, 204):
            assert reply.status == 400, (request, reply)
            statuses["accepted by it, refused by us"] += 1
        else:
            [event] = await taken_from(web)
            if event.account_sid == OTHER_ACCOUNT:
                continue  # it is that account's own: it is named, and its token has signed
            assert (event.unique_key, meant_by(event)) == meant[which], request
            statuses["accepted by it, without effect"] += 1
        if n % 100 == 99:
            assert await taken_from(web) == []
    assert await taken_from(web) == []
    assert min(statuses.values()) > MUTATIONS // 100, statuses
    assert PRIVATE not in "".join(capfd.readouterr())
    told = ", ".join(f"{count} {what}" for what, count in sorted(statuses.items()))
    reached(f"{MUTATIONS} mutations: {told}; 0 rows")


@pytest.mark.promise("P6")
@pytest.mark.parametrize(
    ("genuine", "hidden", "by"),
    [
        (0, "NumSegments", "NumMedia"),  # kept, it could never be read, and the genuine one would be taken for known
        (1, "MediaUrl0", "MediaContentType0"),
        (1, "MediaContentType0", "FromState"),  # an image would become a file
        (3, "SmsMessageSid", "ProfileName"),  # the contact would be called AdaSmsMessageSidSM01...
        (7, "From", "ErrorCode"),
    ],
)
async def test_a_field_that_its_neighbour_swallowed_is_missed(web: Web, genuine: int, hidden: str, by: str) -> None:
    was = GENUINE[genuine]
    fields = dict(was.pairs)
    cut = {name: value for name, value in fields.items() if name != hidden}
    cut[by] += hidden + fields[hidden]
    request = dataclasses.replace(was, pairs=tuple(cut.items()))
    assert is_genuine_to_twilio(request)
    assert (await deliver(client(web), request)).status == 400
    assert await taken_from(web) == []
    assert (await deliver(client(web), was)).status in (200, 204)
    assert len(await taken_from(web)) == 1
