"""What Twilio's webhooks say: the form parameters of an inbound message and of a status callback.

After the "webhook request" and "track outbound message status" guides, and payloads seen in the wild. No status
callback carries the body.
"""

import hashlib
import json

from handset.carrier import reasons, segments
from handset.state.nouns import Message, Phone

API_VERSION = "2010-04-01"
GEOGRAPHY = ("City", "State", "Zip", "Country")


def inbound(message: Message, phone: Phone | None) -> dict[str, str]:
    """The parameters that tell of a message typed on a handset."""
    params = {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "SmsMessageSid": message.sid,
        "AccountSid": message.account_sid,
        "From": message.from_address or "",
        "To": message.to_address,
        "Body": message.body,
        "NumMedia": str(len(message.media_urls)),
        "NumSegments": "1" if message.is_whatsapp else str(segments.count(message.body)),
        "SmsStatus": "received",
        "ApiVersion": API_VERSION,
    }
    if message.service_sid:
        params["MessagingServiceSid"] = message.service_sid
    if message.is_whatsapp:
        params |= _of_whatsapp(message, phone)
    else:
        params |= {f"{side}{part}": "" for side in ("From", "To") for part in GEOGRAPHY}
    return params | message.fields


def _of_whatsapp(message: Message, phone: Phone | None) -> dict[str, str]:
    address = (message.from_address or "").removeprefix("whatsapp:")
    profile = {"ProfileName": (phone.name if phone else "") or address}
    # a user who hides the number is known by a business-scoped id alone
    profile |= {"WaId": address[1:]} if address.startswith("+") else {"ExternalUserId": f"whatsapp:{address}"}
    if phone is not None and phone.bsuid:
        profile["ExternalUserId"] = f"whatsapp:{phone.bsuid}"
    metadata = {"type": "whatsapp", "data": {"context": profile}}
    return {
        **profile,
        "MessageType": "text",
        "ReferralNumMedia": "0",
        "ChannelMetadata": json.dumps(metadata, separators=(",", ":"), ensure_ascii=False),
    }


def status(message: Message) -> dict[str, str]:
    """The parameters that tell of a message's new state."""
    params = {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "MessageStatus": message.status,
        "SmsStatus": message.status,
        "AccountSid": message.account_sid,
        "From": message.from_address or "",
        "To": message.to_address,
        "ApiVersion": API_VERSION,
    }
    if message.service_sid:
        params["MessagingServiceSid"] = message.service_sid
    if message.error_code is not None:
        params["ErrorCode"] = str(message.error_code)
        params["ErrorMessage"] = reasons.text_of(message.error_code) or ""
    if not message.is_whatsapp:
        if message.status in {"delivered", "undelivered"}:
            params["RawDlrDoneDate"] = message.updated_at.strftime("%y%m%d%H%M")
        return params
    installed = hashlib.md5((message.from_address or "").encode(), usedforsecurity=False).hexdigest()
    params |= {
        "ChannelPrefix": "whatsapp",
        "ChannelInstallSid": f"XE{installed}",
        "ChannelToAddress": message.to_address.removeprefix("whatsapp:"),
    }
    if message.error_code is not None:
        params["ChannelStatusMessage"] = reasons.text_of(message.error_code) or ""
    if message.status in {"delivered", "read", "undelivered", "failed"}:
        params["EventType"] = message.status.upper()
    return params
