"""The plan: the rules that stand, in the order they were made, and the record of every fault that acted.

Each rule counts what it sees and draws from its own generator, whose seed it shows. Two rules never change the same
place of one thing: the older one does, and the younger one does not see it.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from handset.clock import Clock
from handset.faults.kinds import NATURES, Place, Traffic
from handset.faults.rules import Rule
from handset.state.nouns import Act
from handset.state.store import Store

BY_HEADER: Final = "header"  # the id of a rule that came with one request, for that request alone


@dataclass(frozen=True, kw_only=True)
class Passing:
    """Something that a fault can happen to. What is not known of it, or does not apply, is None."""

    traffic: Traffic
    to_address: str | None = None
    from_address: str | None = None
    body: str | None = None
    status: str | None = None
    message_sid: str | None = None


@dataclass(kw_only=True, eq=False)
class Standing:
    """A rule that stands, and how it fared: `seen` fitted, `acted` were hit."""

    id: str
    rule: Rule
    seed: int
    seen: int = 0
    acted: int = 0
    generator: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.generator = random.Random(self.seed)

    def fits(self, passing: Passing) -> bool:
        """Whether the rule is about this."""
        rule = self.rule
        return (
            passing.traffic in rule.traffic
            and rule.to in {None, passing.to_address}
            and rule.from_ in {None, passing.from_address}
            and rule.status in {None, passing.status}
            and (rule.body is None or rule.body in (passing.body or ""))
        )

    def hits(self) -> bool:
        """Count one that fits, and say whether it is hit."""
        self.seen += 1
        candidate = self.seen > self.rule.skip and (self.seen - self.rule.skip) % self.rule.every == 0
        if not candidate or self.is_used_up or self.generator.random() >= self.rule.probability:
            return False
        self.acted += 1
        return True

    @property
    def is_used_up(self) -> bool:
        """Whether all that it was made for has happened."""
        return self.rule.next is not None and self.acted >= self.rule.next

    def shown(self) -> dict[str, Any]:
        """The rule with its counts, as the API gives it."""
        rule = msgspec.to_builtins(self.rule)
        fared = {"seen": self.seen, "acted": self.acted, "used_up": self.is_used_up}
        return {"id": self.id, **rule, "on": list(self.rule.traffic), "seed": self.seed, **fared}


@dataclass(frozen=True, kw_only=True)
class Acting:
    """A rule that hits something."""

    standing: Standing
    passing: Passing

    @property
    def rule(self) -> Rule:
        """What it does."""
        return self.standing.rule

    @property
    def generator(self) -> random.Random:
        """Where it takes its chance from."""
        return self.standing.generator


class Plan:
    """All the rules, and what they did."""

    def __init__(self, *, store: Store, clock: Clock, seed: int | None, rules: Iterable[Rule] = ()) -> None:
        self._store = store
        self._clock = clock
        self._seeds = random.SystemRandom() if seed is None else random.Random(seed)
        self._standing: list[Standing] = []
        self._bound: dict[str, Standing] = {}
        self._made = 0
        for rule in rules:
            self.add(rule)

    def add(self, rule: Rule) -> Standing:
        """Let a rule stand from now on."""
        self._made += 1
        standing = self.stand(rule, identifier=f"fault-{self._made}")
        self._standing.append(standing)
        self._store.tell_faults()
        return standing

    def stand(self, rule: Rule, *, identifier: str = BY_HEADER) -> Standing:
        """A rule with its generator, not yet among those that stand."""
        seed = rule.seed if rule.seed is not None else self._seeds.getrandbits(32)
        return Standing(id=identifier, rule=rule, seed=seed)

    def bind(self, standing: Standing, *, message_sid: str) -> None:
        """Let a rule stand for the webhooks of one message."""
        self._bound[message_sid] = standing

    def standing(self) -> list[Standing]:
        """The rules that stand, oldest first; those bound to one message are not among them."""
        return list(self._standing)

    def lift(self, identifier: str) -> bool:
        """End a rule; False if there is none of that id."""
        left = [standing for standing in self._standing if standing.id != identifier]
        found = len(left) < len(self._standing)
        self._standing = left
        self._store.tell_faults()
        return found

    def lift_all(self) -> None:
        """End every rule."""
        self._standing.clear()
        self._bound.clear()
        self._store.tell_faults()

    @property
    def is_quiet(self) -> bool:
        """Whether no rule stands at all."""
        return not self._standing and not self._bound

    def draw(self, passing: Passing, *, own: Standing | None = None) -> list[Acting]:
        """What happens to this: at most one fault a place. `own` came with the request, and goes before all rules."""
        acting: dict[Place, Acting] = {}
        bound = self._bound.get(passing.message_sid or "")
        for standing in (*(one for one in (own, bound) if one is not None), *self._standing):
            place = NATURES[standing.rule.kind].place
            if place not in acting and standing.fits(passing) and standing.hits():
                acting[place] = Acting(standing=standing, passing=passing)
        if acting:
            self._store.tell_faults()
        return list(acting.values())

    def record(self, acting: Acting, *, message_sid: str | None = None, answered: int | None = None) -> None:
        """Put an acted fault on record. `answered` is the status that a forged webhook got."""
        self._store.put_act(
            Act(
                rule=acting.standing.id,
                kind=acting.rule.kind,
                traffic=acting.passing.traffic,
                message_sid=message_sid or acting.passing.message_sid,
                to_address=acting.passing.to_address,
                from_address=acting.passing.from_address,
                answered=answered,
                at=self._clock.now(),
            )
        )
