"""The carrier: takes messages in both directions, moves them along their course, and reports.

What is due is derived from the messages themselves, so after a restart every message goes on from where it stood
and every webhook that was not finished is sent again with the same idempotency token.
"""

import asyncio
import heapq
import itertools
from datetime import datetime, timedelta
from typing import Final

import msgspec

from handset.carrier import course, keywords, segments
from handset.carrier.draft import Draft
from handset.carrier.marks import marked
from handset.carrier.reporter import Reporter
from handset.carrier.sandbox import Sandbox
from handset.carrier.wiring import Wiring
from handset.clock import Clock
from handset.config import Config, Number, Service, Template
from handset.faults.plan import Passing, Plan
from handset.state.nouns import Change, Message, OptOut, Phone, Status
from handset.state.store import Store

LONGEST_SLEEP_SECONDS: Final = 3600.0  # a heap with nothing due soon is looked at now and then all the same


class Carrier:
    """All the ways between an account's senders and the handsets."""

    def __init__(self, *, config: Config, store: Store, clock: Clock, plan: Plan) -> None:
        self.store: Final = store
        self.clock: Final = clock
        self._config = config
        self._plan = plan
        self.wiring: Final = Wiring(config=config, store=store)
        self._sandbox = Sandbox(wiring=self.wiring, store=store)
        self._reporter = Reporter(
            config=config, store=store, clock=clock, plan=plan, wiring=self.wiring, reply=self.send
        )
        self._templates = {template.sid: template for template in config.templates}
        self._due: list[tuple[datetime, int, str]] = []
        self._turn = itertools.count()
        self._wake = asyncio.Event()
        clock.on_change(self._wake.set)
        self._task: asyncio.Task[None] | None = None

    # -- what there is

    def find_number(self, address: str) -> Number | None:
        """The account's own sender of that address."""
        return self.wiring.find_number(address)

    def find_service(self, sid: str) -> Service | None:
        """The Messaging Service of that SID."""
        return self.wiring.find_service(sid)

    def find_template(self, sid: str) -> Template | None:
        """The Content template of that SID."""
        return self._templates.get(sid)

    def senders_for(self, phone: str) -> list[str]:
        """The senders that this handset can write to: those of its channel."""
        whatsapp = phone.startswith("whatsapp:")
        return [n.address for n in self._config.numbers if n.address.startswith("whatsapp:") == whatsapp]

    def scope_of(self, sender: str) -> list[str]:
        """The senders that share an opt-out: those of one Messaging Service, else the sender alone."""
        service = self._service_of(sender)
        return [sender, *(address for address in service.numbers if address != sender)] if service else [sender]

    def is_blocked(self, *, sender: str, phone: str) -> bool:
        """Whether the phone's STOP holds for that sender."""
        return self.store.find_opt_out(senders=self.scope_of(sender), phone=phone) is not None

    # -- running

    async def start(self) -> None:
        """Take up what was left, and begin."""
        for phone in self._config.phones:
            if self.store.find_phone(phone.address) is None:
                self.add_phone(phone.address, phone.name)
        for message in self.store.list_messages():
            self._schedule(message)
        await self._reporter.start()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Break everything off; the journal knows where it stood."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._reporter.stop()

    def forget(self) -> None:
        """Forget messages, webhooks, windows and opt-outs."""
        self._due.clear()
        self._reporter.forget()
        self.store.forget()

    # -- towards the handset

    def send(self, draft: Draft) -> Message:
        """Take a message on. It is accepted, whatever becomes of it."""
        now = self.clock.now()
        status: Status = "scheduled" if draft.send_at else "accepted" if draft.from_address is None else "queued"
        message = Message(
            sid=self.store.new_sid("MM" if draft.media_urls else "SM"),
            account_sid=draft.account_sid,
            from_address=draft.from_address,
            to_address=draft.to_address,
            body=draft.body,
            direction=draft.direction,
            status=status,
            created_at=now,
            updated_at=now,
            history=(Change(status=status, at=now),),
            send_at=draft.send_at,
            expires_at=(draft.send_at or now) + timedelta(seconds=draft.validity_seconds),
            segments=0 if draft.from_address is None else _segments_of(draft.body, draft.to_address),
            media_urls=draft.media_urls,
            service_sid=draft.service_sid,
            content_sid=draft.content_sid,
            content_variables=draft.content_variables,
            status_callback=draft.status_callback,
            auto=draft.auto,
            free_form=draft.content_sid is None,
        )
        if self.store.find_phone(message.to_address) is None:
            self.add_phone(message.to_address, "")
        message = marked(message, draft.faults, self._plan)
        self.store.put_message(message)
        self._schedule(message)
        return message

    def cancel(self, message: Message) -> Message:
        """Take a scheduled message back."""
        canceled = message.moved("canceled", self.clock.now())
        self.store.put_message(canceled)
        self._reporter.tell_status(canceled)
        return canceled

    # -- from the handset

    def add_phone(self, address: str, name: str) -> Phone:
        """Put a handset into somebody's pocket, or rename the one there."""
        phone = Phone(address=address, name=name, created_at=self.clock.now())
        self.store.put_phone(phone)
        return phone

    def receive(self, *, phone: str, number: Number, body: str, fields: dict[str, str]) -> Message:
        """Take what was typed on a handset, do what its keyword asks for, and tell the sender's webhook."""
        now = self.clock.now()
        account = self._config.account_of(number.account)
        if self.store.find_phone(phone) is None:
            self.add_phone(phone, "")
        service = self._service_of(number.address)
        media = tuple(url for name, url in fields.items() if name.startswith("MediaUrl"))
        message = Message(
            sid=self.store.new_sid("MM" if media else "SM"),
            account_sid=account.sid,
            from_address=phone,
            to_address=number.address,
            body=body,
            direction="inbound",
            status="received",
            created_at=now,
            updated_at=now,
            sent_at=now,
            history=(Change(status="received", at=now),),
            segments=_segments_of(body, number.address),
            media_urls=media,
            service_sid=service.sid if service else None,
            fields=fields,
        )
        typed = Passing(traffic="typed", to_address=number.address, from_address=phone, body=body)
        message = marked(message, self._plan.draw(typed), self._plan)
        self.store.put_message(message)
        answer = self._sandbox.answer(number, message)
        if answer is not None:
            self._reply_by_itself(message, account_sid=account.sid, body=answer)
            return message
        self._obey(message, account_sid=account.sid)
        self._reporter.tell_inbound(message)
        return message

    def lift(self, *, sender: str, phone: str) -> bool:
        """Lift the block between a phone and a sender's scope; False if there was none."""
        scope = [s for s in self.scope_of(sender) if self.store.find_opt_out(senders=[s], phone=phone)]
        for address in scope:
            self.store.lift_opt_out(sender=address, phone=phone)
        return bool(scope)

    def _obey(self, message: Message, *, account_sid: str) -> None:
        phone, sender = message.from_address or "", message.to_address
        meaning = keywords.read(message.body, sender=sender, blocked=self.is_blocked(sender=sender, phone=phone))
        match meaning.act:
            case "block":
                opt_out = OptOut(sender=sender, phone=phone, keyword=meaning.keyword, at=message.created_at)
                self.store.put_opt_out(opt_out)
            case "lift":
                self.lift(sender=sender, phone=phone)
            case "nothing":
                pass
        if meaning.answer is not None:
            self._reply_by_itself(message, account_sid=account_sid, body=meaning.answer)

    def _reply_by_itself(self, message: Message, *, account_sid: str, body: str) -> None:
        self.send(
            Draft(
                account_sid=account_sid,
                to_address=message.from_address or "",
                from_address=message.to_address,
                body=body,
                direction="outbound-reply",
                auto=True,
            )
        )

    # -- the course

    def _schedule(self, message: Message) -> None:
        step = course.next_step(message, self._config.delays)
        if step is not None:
            heapq.heappush(self._due, (step.at, next(self._turn), message.sid))
            self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now = self.clock.now()
            while self._due and self._due[0][0] <= now:
                self._advance(heapq.heappop(self._due)[2], now)
            wait = self.clock.machine_seconds(self._due[0][0] - now) if self._due else LONGEST_SLEEP_SECONDS
            try:
                async with asyncio.timeout(min(wait, LONGEST_SLEEP_SECONDS)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _advance(self, sid: str, now: datetime) -> None:
        message = self.store.find_message(sid)
        step = course.next_step(message, self._config.delays) if message else None
        if message is None or step is None or step.at > now:
            return
        if step.status == "queued":
            message = self._choose_sender(message)
        # dated when it was due: after a jump of the clock, what follows it is due from there
        failing = course.failing(message, self._facts(message, step.at), step.at) if step.status == "sent" else None
        if failing is not None:
            moved = message.moved(failing.status, step.at, error_code=failing.code)
        elif step.status == "undelivered" and message.fate is not None:
            moved = message.moved("undelivered", step.at, error_code=message.fate.code)
        else:
            moved = message.moved(step.status, step.at)
        if moved.status == "delivered":
            moved = msgspec.structs.replace(moved, price=course.price(moved))
        self.store.put_message(moved)
        self._reporter.tell_status(moved)
        self._schedule(moved)

    def _choose_sender(self, message: Message) -> Message:
        service = self.find_service(message.service_sid or "")
        pool = () if service is None else service.numbers
        fitting = [a for a in pool if a.startswith("whatsapp:") == message.is_whatsapp]
        return msgspec.structs.replace(
            message,
            from_address=message.from_address or next(iter(fitting), None),
            segments=_segments_of(message.body, message.to_address),
        )

    def _facts(self, message: Message, now: datetime) -> course.Facts:
        sender = message.from_address or ""
        return course.Facts(
            last_inbound_at=self.store.last_inbound_at(sender=sender, phone=message.to_address),
            template=self._templates.get(message.content_sid or ""),
            blocked=not message.auto and self.is_blocked(sender=sender, phone=message.to_address),
            refusal=self._sandbox.refusal(message, now),
        )

    def _service_of(self, sender: str) -> Service | None:
        return self.wiring.find_service_of(sender)


def _segments_of(body: str, address: str) -> int:
    return 1 if address.startswith("whatsapp:") else segments.count(body)
