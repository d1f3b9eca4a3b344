"""Everything that can be refused or can fail.

    Refusal                  the answer is no, and nothing was written
    ├── Invalid              a field is wrong                         -> say which
    ├── Unknown              no such agent, sender, conversation
    ├── NotAllowed           opted out, window closed, ended          -> a rule of ours or the provider's
    ├── Conflict             active already, other configuration, key reused
    │   └── WrongMode        somebody else carries the conversation, or nobody any more
    ├── Unauthenticated      no key, or not one of ours
    ├── Forbidden            the key may not do this
    └── Limited              too much, for now                        -> retry_after_seconds
    Failure                  it did not work
    ├── Transient            try again, at the earliest then          -> retry_after_seconds
    │   └── Unreachable      nobody was there to be asked
    ├── Permanent            never for this message                   -> reason for people
    ├── Misconfigured        stops the account or sender              -> the operator is told what to do
    └── OutcomeUnknown       may have happened                        -> reconcile, never repeat

A refusal is a value on the hot roads (one of a batch is answered with it) and is raised elsewhere.
"""

from typing import Final


class Problem(Exception):
    """Something that did not go as asked, told so that its reader knows what to do.

    `code` is stable and for machines; `description` is a sentence for people; `field` names the wrong input;
    `hint` says what to do about it.
    """

    def __init__(self, code: str, description: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(description)
        self.code: Final = code
        self.description: Final = description
        self.field: Final = field
        self.hint: Final = hint

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r}, {self.description!r}, field={self.field!r})"


class Refusal(Problem):
    """The answer is no; nothing was written."""


class Invalid(Refusal):
    """A field is wrong."""


class Unknown(Refusal):
    """There is no such thing in this workspace."""


class NotAllowed(Refusal):
    """A rule of ours or of the provider forbids it."""


class Conflict(Refusal):
    """It contradicts what is there already."""


class WrongMode(Conflict):
    """Somebody else carries the conversation, or nobody any more; `hint` says what to do first."""


class Unauthenticated(Refusal):
    """No key was given, or none that we know."""


class Forbidden(Refusal):
    """The key is ours but may not do this."""


class Limited(Refusal):
    """Too much for now; worth another try after `retry_after_seconds`."""

    def __init__(self, code: str, description: str, *, retry_after_seconds: int, hint: str | None = None) -> None:
        super().__init__(code, description, hint=hint)
        self.retry_after_seconds: Final = retry_after_seconds


class Failure(Problem):
    """It did not work."""


class Transient(Failure):
    """Certainly not done, and worth another try; the provider may have said when."""

    def __init__(self, code: str, description: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(code, description)
        self.retry_after_seconds: Final = retry_after_seconds


class Unreachable(Transient):
    """Certainly not done: no connection came about."""


class Permanent(Failure):
    """Certainly not done, and never will be for this message."""


class Misconfigured(Failure):
    """Certainly not done; nothing more will get through this account or sender until the operator acts."""


class OutcomeUnknown(Failure):
    """May have been done: find out, never repeat."""


class Unavailable(Failure):
    """A part of ours is away (the database, the disk); nothing was acknowledged."""
