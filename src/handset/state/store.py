"""Everything remembered, and the ways to find it.

One event loop, no awaits: a change is whole. Each goes to the journal first (if there is one), then into memory,
then to the followers.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from handset.sids import Sids
from handset.state import nouns
from handset.state.feed import Feed
from handset.state.journal import Entry, Journal
from handset.state.tally import Tally


class Store:
    """Handset's memory."""

    def __init__(self, *, sids: Sids, feed: Feed, journal: Journal | None) -> None:
        self._sids = sids
        self._feed = feed
        self._journal = journal
        self._phones: dict[str, nouns.Phone] = {}
        self._wired: dict[str, nouns.Wired] = {}
        self._other_names: dict[str, str] = {}
        self._contents: dict[str, nouns.Content] = {}
        self._clear()
        if journal is not None:
            for entry in journal.load():
                self._remember(entry)
            journal.rewrite(self._everything())

    def _clear(self) -> None:
        self._messages: dict[str, nouns.Message] = {}
        self._order: dict[str, float] = {}
        self._by_address: dict[str, list[str]] = {}
        self._webhooks: dict[str, nouns.Webhook] = {}
        self._webhook_of: dict[str, str] = {}
        self._opt_outs: dict[tuple[str, str], nouns.OptOut] = {}
        self._last_inbound: dict[tuple[str, str], datetime] = {}
        self._acts: list[nouns.Act] = []
        self._joined: dict[tuple[str, str], nouns.Joined] = {}
        self._media: dict[str, nouns.Medium] = {}
        self._media_of: dict[str, list[str]] = {}
        self._media_by_key: dict[str, str] = {}
        self._feedbacks: dict[str, nouns.Feedback] = {}
        self._has_past = False
        self.tally = Tally()

    # -- finding

    def new_sid(self, prefix: str) -> str:
        """An identifier that no message bears (a seed gives the same ones again after a restart)."""
        sid = self._sids.new(prefix)
        while sid in self._order or sid in self._webhooks:
            sid = self._sids.new(prefix)
        return sid

    def new_token(self) -> str:
        """A token for a webhook."""
        return self._sids.token()

    def find_message(self, sid: str) -> nouns.Message | None:
        """The message of that SID."""
        return self._messages.get(sid)

    def list_messages(self, address: str | None = None) -> list[nouns.Message]:
        """Messages, oldest first; of one address if given."""
        if address is None:
            return [self._messages[sid] for sid in self._sids_in_order()]
        return [self._messages[sid] for sid in self._by_address.get(address, ())]

    def newest_first(self, *, address: str | None, before: str | None) -> Iterator[nouns.Message]:
        """Messages, newest first, that came before that SID; of one address if given."""
        sids: Sequence[str] = self._sids_in_order() if address is None else self._by_address.get(address, [])
        end = len(sids)
        if before is not None and before in self._order:
            end = bisect_left(sids, self._order[before], key=self._order.__getitem__)
        return (self._messages[sids[index]] for index in range(end - 1, -1, -1))

    def _sids_in_order(self) -> list[str]:
        sids = list(self._messages)
        if self._has_past:  # what lies before the first message may have been told of after it
            sids.sort(key=self._order.__getitem__)
        return sids

    def order_of(self, sid: str) -> float | None:
        """The place of a message in the order of creation; None for one never seen."""
        return self._order.get(sid)

    def phones(self) -> list[nouns.Phone]:
        """All handsets, in the order they were added."""
        return list(self._phones.values())

    def find_phone(self, address: str) -> nouns.Phone | None:
        """The handset of that address."""
        return self._phones.get(address)

    def phone_of(self, address: str) -> nouns.Phone | None:
        """The handset that an address reaches: its own, or another of its names."""
        return self._phones.get(address) or self._phones.get(self._other_names.get(address, ""))

    def find_medium(self, sid: str) -> nouns.Medium | None:
        """The medium of that SID."""
        return self._media.get(sid)

    def find_medium_by_key(self, key: str) -> nouns.Medium | None:
        """The medium that the store without a password gives out under that name."""
        return self._media.get(self._media_by_key.get(key, ""))

    def media_of(self, message_sid: str) -> list[nouns.Medium]:
        """The media of a message, in their order."""
        return [self._media[sid] for sid in self._media_of.get(message_sid, ()) if sid in self._media]

    def waiting_media(self) -> list[nouns.Medium]:
        """The media that are still to be fetched."""
        return [medium for medium in self._media.values() if medium.waiting]

    def find_feedback(self, message_sid: str) -> nouns.Feedback | None:
        """What was said about a message's outcome."""
        return self._feedbacks.get(message_sid)

    def contents(self) -> dict[str, nouns.Content]:
        """The templates made, changed or deleted through the API, by their SIDs."""
        return self._contents

    def knows_webhook(self, webhook_id: str) -> bool:
        """Whether that webhook is remembered: it may have been forgotten while it was under way."""
        return webhook_id in self._webhooks

    def webhooks(self) -> list[nouns.Webhook]:
        """All webhooks, oldest first."""
        return list(self._webhooks.values())

    def inbound_webhook_of(self, message_sid: str) -> nouns.Webhook | None:
        """The webhook that told of a typed message."""
        return self._webhooks.get(self._webhook_of.get(message_sid, ""))

    def find_opt_out(self, *, senders: Iterable[str], phone: str) -> nouns.OptOut | None:
        """The block between a phone and the first of these senders that has one."""
        return next((self._opt_outs[s, phone] for s in senders if (s, phone) in self._opt_outs), None)

    def opt_outs(self) -> list[nouns.OptOut]:
        """All blocks."""
        return list(self._opt_outs.values())

    def last_inbound_at(self, *, sender: str, phone: str) -> datetime | None:
        """When that phone last wrote to that sender."""
        return self._last_inbound.get((sender, phone))

    def find_wired(self, resource: str) -> nouns.Wired | None:
        """What the REST API changed of a sender or a service."""
        return self._wired.get(resource)

    def joined_at(self, *, sender: str, phone: str) -> datetime | None:
        """When that phone last joined that sandbox."""
        joined = self._joined.get((sender, phone))
        return None if joined is None else joined.at

    def acts(self) -> list[nouns.Act]:
        """Every fault that acted, oldest first."""
        return list(self._acts)

    # -- changing

    def put_message(self, message: nouns.Message) -> None:
        """Remember a message, new or changed."""
        self._change(message)
        self._feed.publish("message", message)

    def put_webhook(self, webhook: nouns.Webhook) -> None:
        """Remember a webhook, new or changed."""
        self._change(webhook)
        self._feed.publish("webhook", webhook)

    def put_phone(self, phone: nouns.Phone) -> None:
        """Remember a handset, new or renamed."""
        self._change(phone)
        self._feed.publish("phone", phone)

    def put_opt_out(self, opt_out: nouns.OptOut) -> None:
        """Block a sender's messages to a phone."""
        self._change(opt_out)
        self._feed.publish("opt-out", opt_out)

    def lift_opt_out(self, *, sender: str, phone: str) -> None:
        """Let a sender's messages through again."""
        lifted = nouns.Lifted(sender=sender, phone=phone)
        self._change(lifted)
        self._feed.publish("opt-in", lifted)

    def tell_typing(self, message: nouns.Message) -> None:
        """Tell the followers that an answer to this message is being written; nothing is remembered."""
        self._feed.publish("typing", message)

    def put_wired(self, wired: nouns.Wired) -> None:
        """Remember what the REST API changed of a sender or a service."""
        self._change(wired)

    def put_joined(self, joined: nouns.Joined) -> None:
        """Remember that a phone joined a sandbox."""
        self._change(joined)

    def put_medium(self, medium: nouns.Medium) -> None:
        """Remember a medium, new or fetched."""
        self._change(medium)

    def put_feedback(self, feedback: nouns.Feedback) -> None:
        """Remember what was said about a message's outcome."""
        self._change(feedback)

    def put_content(self, content: nouns.Content) -> None:
        """Remember a template, new, changed or deleted."""
        self._change(content)
        self._feed.publish("content")

    def remove_medium(self, sid: str) -> None:
        """Forget one medium."""
        self._change(nouns.Removed(sid=sid))

    def put_act(self, act: nouns.Act) -> None:
        """Remember a fault that acted."""
        self._change(act)
        self._feed.publish("act", act)

    def tell_faults(self) -> None:
        """Tell the followers that the rules of the faults, or their counts, are others now."""
        self._feed.publish("faults")

    def tell_clock(self) -> None:
        """Tell the followers that the clock was set."""
        self._feed.publish("clock")

    def remove_message(self, sid: str) -> None:
        """Forget one message."""
        removed = nouns.Removed(sid=sid)
        self._change(removed)
        self._feed.publish("removed", removed)

    def forget(self) -> None:
        """Forget messages, webhooks, windows, opt-outs and who joined; the phones and the wiring stay."""
        self._clear()
        if self._journal is not None:
            self._journal.rewrite(self._everything())
        self._feed.publish("forgotten")

    def close(self) -> None:
        """Let go of the disk."""
        if self._journal is not None:
            self._journal.close()

    # -- inside

    def _change(self, entry: Entry) -> None:
        if self._journal is not None:
            self._journal.append(entry)
        self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        match entry:
            case nouns.Message():
                self._remember_message(entry)
            case nouns.Webhook():
                self._webhooks[entry.id] = entry
                if entry.kind == "inbound":
                    self._webhook_of[entry.message_sid] = entry.id
            case nouns.Medium():
                self._remember_medium(entry)
            case nouns.Feedback():
                self._feedbacks[entry.message_sid] = entry
            case nouns.Act():
                self._acts.append(entry)
            case nouns.Wired():
                self._wired[entry.resource] = entry
            case nouns.Content():
                self._contents[entry.template.sid] = entry
            case nouns.Removed():
                self._remove(entry.sid)
            case nouns.Phone() | nouns.OptOut() | nouns.Lifted() | nouns.Joined():
                self._remember_person(entry)

    def _remember_person(self, entry: nouns.Phone | nouns.OptOut | nouns.Lifted | nouns.Joined) -> None:
        match entry:
            case nouns.Phone():
                self._remember_phone(entry)
            case nouns.OptOut():
                self._opt_outs[entry.sender, entry.phone] = entry
            case nouns.Lifted():
                self._opt_outs.pop((entry.sender, entry.phone), None)
            case nouns.Joined():
                self._joined[entry.sender, entry.phone] = entry

    def _remember_message(self, message: nouns.Message) -> None:
        before = self._messages.get(message.sid)
        self.tally.count(message)
        self._messages[message.sid] = message
        self._order.setdefault(message.sid, _place(message, len(self._order)))
        self._has_past |= message.past
        for address in _addresses(message) - (_addresses(before) if before else set()):
            sids = self._by_address.setdefault(address, [])
            # an accepted message gets its sender later than its place in the order
            place = bisect_left(sids, self._order[message.sid], key=self._order.__getitem__)
            sids.insert(place, message.sid)
        if message.direction == "inbound" and before is None and message.phone is not None:
            pair = (message.to_address, message.phone)
            known = self._last_inbound.get(pair)
            if known is None or not message.past or message.created_at > known:
                self._last_inbound[pair] = message.created_at

    def _remember_phone(self, phone: nouns.Phone) -> None:
        known = self._phones.get(phone.address)
        for name in known.names if known else ():
            self._other_names.pop(name, None)
        self._phones[phone.address] = phone
        for name in phone.names - {phone.address}:
            self._other_names[name] = phone.address

    def _remember_medium(self, medium: nouns.Medium) -> None:
        if medium.sid not in self._media:
            self._media_of.setdefault(medium.message_sid, []).append(medium.sid)
            self._media_by_key[medium.key] = medium.sid
        self._media[medium.sid] = medium

    def _remove(self, sid: str) -> None:
        self._media.pop(sid, None)
        message = self._messages.pop(sid, None)
        for address in _addresses(message) if message else set():
            self._by_address[address].remove(sid)
        for medium in self._media_of.pop(sid, ()):
            self._media.pop(medium, None)

    def _everything(self) -> Iterator[Entry]:
        yield from self._phones.values()
        yield from self._contents.values()
        yield from self._messages.values()
        yield from self._webhooks.values()
        yield from self._opt_outs.values()
        yield from self._acts
        yield from self._wired.values()
        yield from self._joined.values()
        yield from self._media.values()
        yield from self._feedbacks.values()


def _addresses(message: nouns.Message) -> set[str]:
    return {address for address in (message.from_address, message.to_address, message.handset) if address is not None}


def _place(message: nouns.Message, number: int) -> float:
    """The place in the order of creation; history lies before everything, by its dates."""
    return message.created_at.timestamp() - 1e11 if message.past else float(number)
