"""Twilio's own errors: `{code, message, more_info, status}`, and the table of those that Handset gives."""

from typing import Final

from starlette.responses import JSONResponse

TEXTS: Final[dict[int, tuple[int, str]]] = {
    # code  (HTTP status, text with its placeholders)
    20001: (400, "Invalid parameter: {what}"),
    20003: (401, "Authenticate"),
    20009: (409, "Cannot delete this resource before it is complete"),
    20403: (403, "Forbidden"),
    20404: (404, "The requested resource {what} was not found"),
    20413: (413, "Request entity too large"),
    20415: (415, "Unsupported Media Type: send application/x-www-form-urlencoded"),
    21211: (400, "The 'To' number {what} is not a valid phone number."),
    21212: (400, "The 'From' number {what} is not a valid phone number, shortcode, or alphanumeric sender ID."),
    21265: (400, "'To' number cannot be a Short Code: {what}"),
    21266: (400, "'To' and 'From' number cannot be the same: {what}"),
    21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {what}."),
    21502: (400, "The callback url {what} is not a valid URL."),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (
        400,
        (
            "The 'From' phone number provided ({what}) is not a valid message-capable Twilio phone number "
            "for this destination/account."
        ),
    ),
    21609: (400, "The 'StatusCallback' URL {what} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number {what} has exceeded the maximum number of queued messages"),
    21612: (400, "The 'To' phone number: {what}, is not currently reachable using the 'From' phone number."),
    21614: (400, "'To' number is not a valid mobile number: {what}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    21620: (400, "Invalid media URL(s): {what}"),
    21623: (400, "Number of media files exceeds allowed limit of 10"),
    21655: (400, "The ContentSid is Invalid: {what}"),
    21656: (400, "The ContentVariables parameter is invalid."),
    21659: (400, "'From' {what} is not a Twilio phone number or Short Code country mismatch"),
    21703: (400, "The Messaging Service does not have a phone number available to send a message: {what}"),
    21705: (400, "The Messaging Service Sid is invalid: {what}"),
    21711: (400, "The 'From' number {what} does not belong to the Messaging Service"),
    21910: (400, "Twilio could not send a message between channels: 'From' and 'To' must share one ({what})"),
    30409: (400, "This message cannot be canceled"),
    35111: (400, "SendAt timestamp is missing"),
    35114: (400, "SendAt time must be between 300 seconds and 35 days from now"),
    35115: (400, "ScheduleType value is invalid"),
    35117: (400, "ScheduleType is required when SendAt is given"),
    35118: (400, "MessagingServiceSid is required to schedule a message"),
    20008: (403, "Resource not accessible with Test Account Credentials"),
    63007: (400, "Twilio could not find a Channel with the specified From address"),
    63031: (400, "Channels message cannot have same From and To"),
}


class TwilioError(Exception):
    """A request that Twilio would not take."""

    def __init__(self, code: int, what: str = "") -> None:
        self.code: Final = code
        self.status, text = TEXTS[code]
        self.message: Final = text.format(what=what)
        super().__init__(self.message)

    def response(self) -> JSONResponse:
        """The answer in Twilio's form."""
        body = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if self.status == 401 else None
        return JSONResponse(body, status_code=self.status, headers=headers)
