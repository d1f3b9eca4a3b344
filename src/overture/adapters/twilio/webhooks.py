"""Twilio's webhooks: who may send them, and what identifies them.

A webhook is Twilio's own when its signature was made with an auth token of the account that it names, over one of
the URLs that we told Twilio; Host and X-Forwarded-* are never asked. What the form then says is trusted as far as
`shifts.py` and the forms of its fields allow. Reading the event is `reading.py`'s, after it is on disk.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from overture.adapters.twilio import form, reading, shifts, signature
from overture.domain.errors import Forbidden, Invalid
from overture.domain.ports import Inbound, ProviderMessage, RawEvent, StatusReport

_SID: Final = re.compile(r"(?:SM|MM)[0-9a-f]{32}")
_ACCOUNT_SID: Final = re.compile(r"AC[0-9a-f]{32}")
_ADDRESS: Final = re.compile(r"(?:whatsapp:)?\+[0-9]{5,15}|whatsapp:[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}|[0-9]{3,8}")
_STATUS: Final = re.compile(r"[a-z_]{2,24}")
_SAME_SID: Final = ("SmsSid", "SmsMessageSid")


class TwilioWebhooks:
    """Verifies and reads Twilio's webhooks.

    `accounts` maps each account SID to its auth tokens (two while one is being rotated; a sub-account signs with its
    own) and may change while in use. `public_base_urls` are the addresses that Twilio was configured with, before the
    path. `secret` makes the MACs of status callback URLs.
    """

    def __init__(
        self, *, accounts: Mapping[str, Sequence[str]], public_base_urls: Sequence[str], secret: bytes
    ) -> None:
        self._accounts = accounts
        self._bases = tuple(
            dict.fromkeys(form_of for url in public_base_urls for form_of in signature.variants(url.rstrip("/")))
        )
        self._secret = secret

    def verify_inbound(self, *, path_and_query: str, body: bytes, signature: str | None) -> RawEvent:
        """The event of an inbound webhook. Raises Forbidden for a forged one, Invalid for one that makes no sense."""
        fields = self._verified(path_and_query, body, signature, shifts.INBOUND)
        account, sid = fields["AccountSid"], _required(fields, "MessageSid", _SID)
        to, sender = _required(fields, "To", _ADDRESS), _required(fields, "From", _ADDRESS)
        return RawEvent(
            kind="inbound",
            account_sid=account,
            unique_key=sid,
            ordering_key=f"{account}|{to}|{sender}",
            query=path_and_query.partition("?")[2],
            body=body,
        )

    def verify_status(self, *, path_and_query: str, body: bytes, signature: str | None) -> RawEvent:
        """The event of a status callback. Raises as `verify_inbound`."""
        fields = self._verified(path_and_query, body, signature, shifts.STATUS)
        sid, status = _required(fields, "MessageSid", _SID), _required(fields, "MessageStatus", _STATUS)
        return RawEvent(
            kind="status",
            account_sid=fields["AccountSid"],
            unique_key=f"{sid}/{status}",
            ordering_key=sid,
            query=path_and_query.partition("?")[2],
            body=body,
        )

    def recover(self, account_sid: str, message: ProviderMessage) -> RawEvent:
        """The event that an inbound message's webhook would have been, as far as the provider's record tells.

        It has the webhook's identity, so that whichever comes second is a duplicate. Raises Invalid for a record of
        another account, without a SID, or between addresses that no webhook of ours names.
        """
        named = {"MessageSid": message.sid, "From": message.sender, "To": message.to}
        sid = _required(named, "MessageSid", _SID)
        to, sender = _required(named, "To", _ADDRESS), _required(named, "From", _ADDRESS)
        if message.account_sid not in (None, account_sid):
            raise Invalid("webhook_malformed", "The provider's record is another account's.", field="AccountSid")
        fields = {**named, "AccountSid": account_sid, "Body": message.body, "NumMedia": str(message.media)}
        return RawEvent(
            kind=reading.RECOVERED,
            account_sid=account_sid,
            unique_key=sid,
            ordering_key=f"{account_sid}|{to}|{sender}",
            query="",
            body=urlencode(fields, errors="replace").encode(),
        )

    def parse_inbound(self, event: RawEvent) -> Inbound:
        """The message that a kept event holds. Raises Invalid for what cannot be read."""
        return reading.inbound(event)

    def parse_status(self, event: RawEvent) -> StatusReport:
        """The report that a kept event holds. Raises Invalid for what cannot be read."""
        return reading.status(event, self._secret)

    def _verified(self, path_and_query: str, body: bytes, given: str | None, guard: shifts.Guard) -> dict[str, str]:
        """The fields of a signed form. A field that stands twice is refused where it is one that we read."""
        if not given:
            raise Forbidden("webhook_forged", "The webhook has no signature.")
        pairs = form.parse(body)
        fields = dict(pairs)
        account = fields.get("AccountSid", "")
        tokens = self._accounts.get(account)
        if not tokens or not _ACCOUNT_SID.fullmatch(account):
            raise Forbidden("webhook_forged", "The webhook names no account of ours.")
        tail = signature.tail(pairs)
        if not signature.valid_over(tokens, [base + path_and_query for base in self._bases], tail, given):
            raise Forbidden("webhook_forged", "The webhook's signature is not the account's.")
        if len(fields) != len(pairs):
            reading.refuse_repeated(pairs)
        if any(fields.get(name, fields.get("MessageSid")) != fields.get("MessageSid") for name in _SAME_SID):
            raise Invalid("webhook_malformed", "The webhook names two messages.", field="MessageSid")
        if shifts.is_shifted(fields, pairs, tail, guard):
            raise Invalid("webhook_ambiguous", "The webhook's fields could be another webhook's, cut elsewhere.")
        return fields


def _required(fields: Mapping[str, str], name: str, written_as: re.Pattern[str]) -> str:
    value = fields.get(name)
    if value is None or not written_as.fullmatch(value):
        raise Invalid("webhook_malformed", f"The webhook's {name} is missing or malformed.", field=name)
    return value
