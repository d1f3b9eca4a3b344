"""Tells the account's webhooks what happened, and does what they answer.

Statuses of a message are told in order, and so is what one phone typed: the next webhook waits for the answer to the
one before, unless a fault meddles. A webhook that was not finished when Handset ended is sent again at the next
start, with its old token.
"""

from collections.abc import Callable
from typing import Literal
from urllib.parse import urljoin

import msgspec

from handset.carrier import callbacks, twiml
from handset.carrier.draft import Draft
from handset.carrier.lanes import Lanes
from handset.carrier.meddling import Meddled, Meddler
from handset.carrier.postman import Answered, Postman
from handset.carrier.wiring import Wiring
from handset.clock import Clock
from handset.config import ADDRESS, Config, Method
from handset.faults.plan import Plan
from handset.state.nouns import Message, Webhook
from handset.state.store import Store


class Reporter:
    """The webhooks' side of the carrier. `reply` sends what a TwiML answer asks for."""

    def __init__(
        self,
        *,
        config: Config,
        store: Store,
        clock: Clock,
        plan: Plan,
        wiring: Wiring,
        reply: Callable[[Draft], Message],
    ) -> None:
        self._store = store
        self._clock = clock
        self._reply = reply
        self._postman = Postman(config=config, store=store, clock=clock)
        self._lanes = Lanes()
        self._meddler = Meddler(plan=plan, store=store, clock=clock, lanes=self._lanes)
        self._accounts = {account.sid for account in config.accounts}
        self._wiring = wiring

    async def start(self) -> None:
        """Take up the webhooks that were left."""
        await self._postman.start()
        for webhook in self._store.webhooks():
            # an account that left the configuration has no token left to sign with
            if not webhook.finished and webhook.account_sid in self._accounts:
                self._post(webhook)

    async def stop(self) -> None:
        """Break off; what was not finished is sent at the next start."""
        await self._meddler.stop()
        await self._lanes.stop()
        await self._postman.stop()

    def forget(self) -> None:
        """Drop what waits."""
        self._lanes.clear()
        self._meddler.clear()

    def tell_status(self, message: Message) -> None:
        """Report a message's new state to its own callback, or its service's, or its sender's."""
        service = self._wiring.find_service(message.service_sid or "")
        number = self._wiring.find_number(message.from_address or "")
        url = message.status_callback or (service and service.status_url) or (number and number.status_url)
        if url and not message.auto:
            self._tell("status", message, url=url, params=callbacks.status(message))

    def tell_inbound(self, message: Message) -> None:
        """Report what was typed on a handset, if the sender says where."""
        way = self._wiring.find_way(message.to_address)
        if way is not None:
            params = callbacks.inbound(message, self._store.find_phone(message.phone or ""))
            self._tell("inbound", message, url=way.url, params=params, method=way.method)

    def _tell(
        self,
        kind: Literal["inbound", "status", "fallback"],
        message: Message,
        *,
        url: str,
        params: dict[str, str],
        method: Method = "POST",
    ) -> None:
        webhook = Webhook(
            id=self._store.new_sid("WH"),
            kind=kind,
            message_sid=message.sid,
            account_sid=message.account_sid,
            url=url,
            params=params,
            method=method,
            token=self._store.new_token(),
            created_at=self._clock.now(),
        )
        self._store.put_webhook(webhook)
        self._post(webhook)

    def _post(self, webhook: Webhook) -> None:
        if webhook.kind == "status":
            lane = f"status {webhook.message_sid}"
        else:
            lane = f"phone {webhook.params.get('From', '')}"
        self._meddler.submit(lane, webhook, self._deliver)

    async def _deliver(self, meddled: Meddled) -> None:
        if meddled.forgery is not None:
            self._meddler.record_forgery(meddled, answered=await self._postman.forge(meddled.forgery))
        webhook, answered = await self._postman.deliver(meddled.webhook, token=meddled.token)
        for _ in range(meddled.copies):
            webhook, _ = await self._postman.deliver(webhook, token=meddled.token)  # the first answer is obeyed
        message = self._store.find_message(webhook.message_sid)
        if webhook.kind == "status" or message is None:
            return
        if answered.error_code is None:
            webhook = self._obey(webhook, answered, message)
        if webhook.error_code is not None:
            self._fall_back(webhook, message)

    def _obey(self, webhook: Webhook, answered: Answered, message: Message) -> Webhook:
        answer = twiml.parse(answered.body, content_type=answered.content_type)
        code = answer.error_code
        told = f"the answer ({answered.content_type or 'of no type'}) cannot be read as TwiML"
        if any(reply.to_address and not ADDRESS.fullmatch(reply.to_address) for reply in answer.replies):
            code, told = 21211, "the answer's `to` is no address"
        if any(reply.from_address and self._wiring.find_number(reply.from_address) is None for reply in answer.replies):
            code, told = 21212, "the answer's `from` is none of our senders"
        if code is not None:
            webhook = msgspec.structs.replace(webhook, error_code=code, error=told)
            self._store.put_webhook(webhook)
            return webhook
        for reply in answer.replies:
            callback = urljoin(webhook.url, reply.status_callback) if reply.status_callback else None
            self._reply(
                Draft(
                    account_sid=message.account_sid,
                    to_address=reply.to_address or message.from_address or "",
                    from_address=reply.from_address or message.to_address,
                    body=reply.body,
                    direction="outbound-reply",
                    media_urls=reply.media_urls,
                    service_sid=message.service_sid,
                    status_callback=callback,
                )
            )
        return webhook

    def _fall_back(self, webhook: Webhook, message: Message) -> None:
        way = self._wiring.find_way(message.to_address)
        if webhook.kind == "inbound" and way is not None and way.fallback_url is not None:
            params = webhook.params | {"ErrorCode": str(webhook.error_code), "ErrorUrl": webhook.url}
            self._tell("fallback", message, url=way.fallback_url, params=params, method=way.fallback_method)
