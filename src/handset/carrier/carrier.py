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

from handset.carrier import course, keywords, prices, segments, typed
from handset.carrier.attaching import attach
from handset.carrier.draft import Draft
from handset.carrier.fetching import Fetcher
from handset.carrier.marks import marked
from handset.carrier.past import message_of
from handset.carrier.people import People
from handset.carrier.queues import Lines
from handset.carrier.reporter import Reporter
from handset.carrier.sandbox import Sandbox
from handset.carrier.wiring import Wiring
from handset.clock import Clock
from handset.config import Config, Number, Past, Service
from handset.faults.plan import Passing, Plan
from handset.state.nouns import Change, Fate, Message, OptOut, Status
from handset.state.store import Store
from handset.template import Template

WHATSAPP_SECONDS: Final = 14_400
LONGEST_SLEEP_SECONDS: Final = 3600.0  # a heap with nothing due soon is looked at now and then all the same


class Carrier:
    """All the ways between an account's senders and the handsets."""

    def __init__(self, *, config: Config, store: Store, clock: Clock, plan: Plan) -> None:
        self.store: Final = store
        self.clock: Final = clock
        self.people: Final = People(store=store, clock=clock)
        self._config = config
        self._plan = plan
        self.wiring: Final = Wiring(config=config, store=store)
        self._sandbox = Sandbox(wiring=self.wiring, store=store)
        self._reporter = Reporter(
            config=config, store=store, clock=clock, plan=plan, wiring=self.wiring, reply=self.send
        )
        self._templates = {template.sid: template for template in config.templates}
        self._lines = Lines(config.queues)
        self._fetcher = Fetcher(store=store, then=self._schedule)
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
        """The Content template of that SID: one that was made or changed since, or a configured one."""
        made = self.store.contents().get(sid)
        if made is not None:
            return None if made.deleted else made.template
        return self._templates.get(sid)

    def templates(self) -> list[Template]:
        """Every Content template: the configured ones first."""
        sids = dict.fromkeys((*self._templates, *self.store.contents()))
        return [template for template in map(self.find_template, sids) if template is not None]

    def is_full(self, sender: str) -> bool:
        """Whether nothing more fits into the sender's queue."""
        return self._lines.is_full(sender, self.clock.now())

    def is_smart(self, service_sid: str | None) -> bool:
        """Whether a service's texts are smart-encoded."""
        service = self.find_service(service_sid or "")
        return service is not None and service.smart_encoding

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
        address = self.people.address_of(phone)
        return self.store.find_opt_out(senders=self.scope_of(sender), phone=address) is not None

    # -- running

    async def start(self) -> None:
        """Take up what was left, and begin."""
        for phone in self._config.phones:
            if self.store.find_phone(phone.address) is None:
                self.people.put(phone)
        if not any(message.past for message in self.store.list_messages()):
            for past in self._config.history:
                self.recall(past)
        messages = self.store.list_messages()
        self._lines.resume(messages)
        for message in messages:
            self._schedule(message)
        await self._reporter.start()
        self._fetcher.start()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Break everything off; the journal knows where it stood."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._fetcher.stop()
        await self._reporter.stop()

    def forget(self) -> None:
        """Forget messages, webhooks, windows and opt-outs."""
        self._due.clear()
        self._lines.clear()
        self._reporter.forget()
        self.store.forget()

    # -- towards the handset

    def send(self, draft: Draft) -> Message:
        """Take a message on. It is accepted, whatever becomes of it."""
        phone = self.people.at(draft.to_address)
        message = self.new_message(draft)
        handset = phone.address if phone.address != draft.to_address else None
        message = marked(msgspec.structs.replace(message, handset=handset), draft.faults, self._plan)
        if message.status == "queued" and not message.auto:  # the carrier's own answers wait for nobody
            message = msgspec.structs.replace(message, leaves_at=self._lines.take(message, message.created_at))
        self.store.put_message(message)
        self._fetcher.expect(message)
        self._schedule(message)
        return message

    def new_message(self, draft: Draft) -> Message:
        """The message as it is taken on; with test credentials nothing more becomes of it."""
        now = self.clock.now()
        status: Status = "scheduled" if draft.send_at else "accepted" if draft.from_address is None else "queued"
        return Message(
            sid=self.store.new_sid("MM" if draft.media_urls or draft.rich else "SM"),
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
            expires_at=(draft.send_at or now) + timedelta(seconds=_validity(draft)),
            segments=0 if draft.from_address is None else segments.of(draft.body, draft.to_address),
            media_urls=draft.media_urls,
            service_sid=draft.service_sid,
            content_sid=draft.content_sid,
            content_variables=draft.content_variables,
            status_callback=draft.status_callback,
            auto=draft.auto,
            free_form=draft.content_sid is None,
            rich=draft.rich,
        )

    def cancel(self, message: Message) -> Message:
        """Take a scheduled message back."""
        canceled = message.moved("canceled", self.clock.now())
        self.store.put_message(canceled)
        self._reporter.tell_status(canceled)
        return canceled

    # -- from the handset

    def receive(
        self, *, phone: str, number: Number, body: str, extras: typed.Extras, fields: dict[str, str], base_url: str
    ) -> Message:
        """Take what was typed on a handset, do what its keyword asks for, and tell the sender's webhook.

        `base_url` is where the account's server would find the media.
        """
        now = self.clock.now()
        account = self._config.account_of(number.account)
        person = self.people.at(phone)
        bears = phone if person.address != phone else person.answers_as or phone
        service = self._service_of(number.address)
        files = extras.files
        given = tuple(url for name, url in fields.items() if name.startswith("MediaUrl"))
        sid = self.store.new_sid("MM" if files or given else "SM")
        media = attach(self.store, files, message_sid=sid, account_sid=account.sid, base_url=base_url, now=now)
        meaning = self._meaning(body, sender=number.address, phone=person.address)
        told = {"OptOutType": meaning.opt_out_type} if meaning.opt_out_type else {}
        fields = typed.fields(extras, whatsapp=number.address.startswith("whatsapp:")) | told | media | fields
        message = Message(
            sid=sid,
            account_sid=account.sid,
            from_address=bears,
            to_address=number.address,
            body=body,
            direction="inbound",
            status="received",
            created_at=now,
            updated_at=now,
            sent_at=now,
            history=(Change(status="received", at=now),),
            segments=segments.of(body, number.address),
            media_urls=tuple(url for name, url in fields.items() if name.startswith("MediaUrl")),
            service_sid=service.sid if service else None,
            handset=person.address if person.address != bears else None,
            fields=fields,
        )
        passing = Passing(traffic="typed", to_address=number.address, from_address=bears, body=body)
        message = marked(message, self._plan.draw(passing), self._plan)
        self.store.put_message(message)
        answer = self._sandbox.answer(number, message)
        if answer is not None:
            self._reply_by_itself(message, body=answer)
            return message
        self._obey(message, meaning)
        self._reporter.tell_inbound(message)
        return message

    def lift(self, *, sender: str, phone: str) -> bool:
        """Lift the block between a phone and a sender's scope; False if there was none."""
        phone = self.people.address_of(phone)
        scope = [s for s in self.scope_of(sender) if self.store.find_opt_out(senders=[s], phone=phone)]
        for address in scope:
            self.store.lift_opt_out(sender=address, phone=phone)
        return bool(scope)

    def recall(self, past: Past) -> Message:
        """Put a message from before into the list; nobody is told, and nothing more becomes of it."""
        ours = self.find_number(past.from_) or self.find_number(past.to)
        assert ours is not None  # the configuration and the inspection see to it
        bears = past.to if ours.address == past.from_ else past.from_
        person = self.people.at(bears)
        message = message_of(
            past,
            sid=self.store.new_sid("SM"),
            ours=ours,
            account_sid=self._config.account_of(ours.account).sid,
            handset=person.address if person.address != bears else None,
        )
        self.store.put_message(message)
        return message

    def _meaning(self, body: str, *, sender: str, phone: str) -> keywords.Meaning:
        service = self._service_of(sender)
        blocked = self.is_blocked(sender=sender, phone=phone)
        return keywords.read(body, sender=sender, blocked=blocked, own=service.keywords if service else None)

    def _obey(self, message: Message, meaning: keywords.Meaning) -> None:
        phone, sender = message.phone or "", message.to_address
        match meaning.act:
            case "block":
                opt_out = OptOut(sender=sender, phone=phone, keyword=meaning.keyword, at=message.created_at)
                self.store.put_opt_out(opt_out)
            case "lift":
                self.lift(sender=sender, phone=phone)
            case "nothing":
                pass
        if meaning.answer is not None:
            self._reply_by_itself(message, body=meaning.answer)

    def _reply_by_itself(self, message: Message, *, body: str) -> None:
        self.send(
            Draft(
                account_sid=message.account_sid,
                to_address=message.from_address or message.phone or "",
                from_address=message.to_address,
                body=body,
                direction="outbound-reply",
                auto=True,
            )
        )

    # -- the course

    def _schedule(self, message: Message) -> None:
        step = course.next_step(message, self._config.delays)
        priced_at = course.priced_at(message, self._config.delays)
        for at in {step.at if step else None, priced_at} - {None}:
            heapq.heappush(self._due, (at or message.created_at, next(self._turn), message.sid))
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
        if message is None:
            return
        if message is not (priced := self._priced(message, now)):
            self.store.put_message(message := priced)
        step = course.next_step(message, self._config.delays)
        if step is None or step.at > now:
            return
        if step.status == "sent" and any(medium.waiting for medium in self.store.media_of(sid)):
            return  # whoever fetches them schedules it anew
        if step.status == "queued":
            message = self._choose_sender(message, step.at)
        # dated when it was due: after a jump of the clock, what follows it is due from there
        failing = course.failing(message, self._facts(message, step.at), step.at) if step.status == "sent" else None
        if failing is not None:
            moved = message.moved(failing.status, step.at, error_code=failing.code)
        elif step.status == "undelivered" and message.fate is not None:
            moved = message.moved("undelivered", step.at, error_code=message.fate.code)
        else:
            moved = message.moved(step.status, step.at)
        moved = self._priced(moved, step.at)
        self.store.put_message(moved)
        self._reporter.tell_status(moved)
        self._schedule(moved)

    def _priced(self, message: Message, now: datetime) -> Message:
        at = course.priced_at(message, self._config.delays)
        if at is None or at > now:
            return message
        price = prices.price(message, self.find_template(message.content_sid or ""))
        return msgspec.structs.replace(message, price=price)

    def _choose_sender(self, message: Message, now: datetime) -> Message:
        service = self.find_service(message.service_sid or "")
        pool = () if service is None else service.numbers
        fitting = [a for a in pool if a.startswith("whatsapp:") == message.is_whatsapp]
        chosen = msgspec.structs.replace(
            message,
            from_address=message.from_address or next(iter(fitting), None),
            segments=segments.of(message.body, message.to_address),
        )
        if chosen.fate is None and self._lines.is_full(chosen.from_address or "", now):
            return msgspec.structs.replace(chosen, fate=Fate(status="failed", code=30001))
        return msgspec.structs.replace(chosen, leaves_at=self._lines.take(chosen, now))

    def _facts(self, message: Message, now: datetime) -> course.Facts:
        sender = message.from_address or ""
        template = self.find_template(message.content_sid) if message.content_sid else None
        return course.Facts(
            last_inbound_at=self.store.last_inbound_at(sender=sender, phone=message.phone or ""),
            template=template,
            content_gone=message.content_sid is not None and template is None,
            blocked=not message.auto and self.is_blocked(sender=sender, phone=message.to_address),
            refusal=self._sandbox.refusal(message, now),
        )

    def _service_of(self, sender: str) -> Service | None:
        return self.wiring.find_service_of(sender)


def _validity(draft: Draft) -> float:
    """How long it may wait: WhatsApp's queue holds four hours of the ten that are the most."""
    whatsapp = draft.to_address.startswith("whatsapp:")
    return min(draft.validity_seconds, WHATSAPP_SECONDS) if whatsapp else draft.validity_seconds
