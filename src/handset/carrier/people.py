"""The people's handsets: put into pockets, renamed, and known by other names than their address."""

from handset.carrier import numbers
from handset.clock import Clock
from handset.config import Phone as Settled
from handset.state.nouns import Phone
from handset.state.store import Store


class People:
    """Who has which handset."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def at(self, address: str) -> Phone:
        """The handset that an address reaches; one appears where there is none."""
        return self._store.phone_of(address) or self.put(Settled(address=address))

    def address_of(self, name: str) -> str:
        """The address of the handset that bears that name; the name itself where there is none."""
        phone = self._store.phone_of(name)
        return phone.address if phone else name

    def put(self, settled: Settled) -> Phone:
        """Put a handset into somebody's pocket, or give the one there another name and identity."""
        known = self._store.find_phone(settled.address)
        answers_as = settled.answers_as
        phone = Phone(
            address=settled.address,
            name=settled.name,
            created_at=known.created_at if known else self._clock.now(),
            answers_as=numbers.other_form(settled.address) if answers_as == numbers.OTHER_FORM else answers_as,
            bsuid=settled.bsuid,
            username=settled.username,
        )
        self._store.put_phone(phone)
        return phone
