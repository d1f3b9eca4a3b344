"""The REST API's routes: who may, do it, show it."""

import asyncio
import dataclasses
import re
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handset.api import checks, door, listing, shape
from handset.api.refusals import TwilioError
from handset.carrier.carrier import Carrier
from handset.config import Config
from handset.state.nouns import FINAL, Feedback, Message

FAULTS: Final = "handset.faults"  # where the scope of a request holds the faults of the message it asks for
SID: Final = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")


class Api:
    """Messages."""

    def __init__(self, *, config: Config, carrier: Carrier) -> None:
        self._config = config
        self._carrier = carrier

    def routes(self) -> list[Route]:
        """The routes of 2010-04-01."""
        messages = "/2010-04-01/Accounts/{account_sid}/Messages"
        return [
            Route(f"{messages}.json", door.refusing(self.create_message), methods=["POST"]),
            Route(f"{messages}.json", door.refusing(self.list_messages), methods=["GET"]),
            Route(f"{messages}/{{sid}}.json", door.refusing(self.fetch_message), methods=["GET"]),
            Route(f"{messages}/{{sid}}.json", door.refusing(self.update_message), methods=["POST"]),
            Route(f"{messages}/{{sid}}.json", door.refusing(self.delete_message), methods=["DELETE"]),
            Route(f"{messages}/{{sid}}/Feedback.json", door.refusing(self.create_feedback), methods=["POST"]),
            Route("/v2/Indicators/Typing.json", door.refusing(self.show_typing), methods=["POST"]),
            Route("/v3/Indicators/Typing", door.refusing(self.show_typing), methods=["POST"]),
            Route("/2010-04-01/{rest:path}", door.refusing(self.nowhere), methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    async def create_message(self, request: Request) -> Response:
        """Send a message."""
        account = door.enter(request, self._config)
        form = await door.read_form(request)
        draft = checks.draft(form, account=account, carrier=self._carrier, config=self._config)
        draft = dataclasses.replace(draft, faults=request.scope.get(FAULTS, ()))
        if account.test:
            return JSONResponse(shape.message(self._carrier.new_message(draft)), status_code=201)
        message = self._carrier.send(draft)
        if self._config.delays.answer:
            await asyncio.sleep(self._config.delays.answer)
        return JSONResponse(shape.message(message), status_code=201)

    async def list_messages(self, request: Request) -> Response:
        """List messages, newest first."""
        account = door.enter(request, self._config)
        now = self._carrier.clock.now()
        asked = listing.read(request.query_params.multi_items(), account_sid=account.sid, now=now)
        return JSONResponse(listing.page(asked, self._carrier.store))

    async def fetch_message(self, request: Request) -> Response:
        """Fetch one message."""
        return JSONResponse(shape.message(self._get(request)))

    async def update_message(self, request: Request) -> Response:
        """Redact a message that is final (`Body=`), or take a scheduled one back (`Status=canceled`)."""
        message = self._get(request)
        given = dict(await door.read_form(request))
        if given.get("Status") == "canceled":
            if message.status != "scheduled":
                raise TwilioError(30409)
            message = self._carrier.cancel(message)
        elif given.get("Body") == "":
            self._require_final(message)
            message = msgspec.structs.replace(message, body="", redacted=True, updated_at=self._carrier.clock.now())
            self._carrier.store.put_message(message)
        elif given:
            raise TwilioError(20001, "only an empty Body or Status=canceled can be set")
        return JSONResponse(shape.message(message))

    async def delete_message(self, request: Request) -> Response:
        """Delete a message that is final."""
        message = self._get(request)
        self._require_final(message)
        self._carrier.store.remove_message(message.sid)
        return Response(status_code=204)

    async def create_feedback(self, request: Request) -> Response:
        """Take what the account says about a message's outcome; said again, it says it anew."""
        message = self._get(request)
        outcome = dict(await door.read_form(request)).get("Outcome") or "confirmed"
        if outcome not in {"confirmed", "unconfirmed"}:
            raise TwilioError(20001, "Outcome must be confirmed or unconfirmed")
        now, known = self._carrier.clock.now(), self._carrier.store.find_feedback(message.sid)
        created_at = known.created_at if known else now
        feedback = Feedback(message_sid=message.sid, outcome=outcome, created_at=created_at, updated_at=now)
        self._carrier.store.put_feedback(feedback)
        return JSONResponse(shape.feedback(feedback, account_sid=message.account_sid), status_code=201)

    async def show_typing(self, request: Request) -> Response:
        """Show a person that an answer to their WhatsApp message is being written."""
        account = door.authenticate(request, self._config)
        if request.url.path.startswith("/v3/"):
            given = await door.read_json(request, dict[str, str])
        else:
            given = dict(await door.read_form(request))
        message = self._carrier.store.find_message(given.get("messageId", ""))
        if given.get("channel", "").lower() != "whatsapp":
            raise TwilioError(20001, "channel must be whatsapp")
        if message is None or message.direction != "inbound" or message.account_sid != account.sid:
            raise TwilioError(20404, f"message {given.get('messageId', '')}")
        if message.seen_at is None:  # the indicator marks the message as read
            message = msgspec.structs.replace(message, seen_at=self._carrier.clock.now())
            self._carrier.store.put_message(message)
        self._carrier.store.tell_typing(message)
        return JSONResponse({"success": True})

    async def nowhere(self, request: Request) -> Response:
        """Anything else that Twilio may have and Handset has not."""
        door.authenticate(request, self._config)
        raise TwilioError(20404, request.url.path)

    def _get(self, request: Request) -> Message:
        account = door.enter(request, self._config)
        sid = request.path_params["sid"]
        message = self._carrier.store.find_message(sid) if SID.fullmatch(sid) else None
        if message is None or message.auto or message.account_sid != account.sid:
            raise TwilioError(20404, request.url.path)
        return message

    def _require_final(self, message: Message) -> None:
        # `sent` is where messages end whose carrier does not report delivery
        if message.status not in FINAL | {"sent"}:
            raise TwilioError(20009)
