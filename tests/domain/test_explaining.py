"""What `overture rules explain` says, in ten cases."""

from datetime import UTC, datetime, timedelta

import pytest

from overture.domain.channel import Channel
from overture.domain.explaining import Asking, Ruling, overall, say_all
from overture.domain.pace import Tail
from overture.domain.rules import NONE, Applying, QuietHours, RequireConsent, Rules

NIGHT = datetime(2026, 11, 26, 2, 30, tzinfo=UTC)  # 21:30 of the day before in New York, 18:30 in Los Angeles
NOON = datetime(2026, 11, 26, 17, 0, tzinfo=UTC)
NEW_YORK, CALIFORNIA, FICTIONAL, FRANCE = "+12125550123", "+14155550123", "+15550100001", "+33612345678"
QUIET = Rules(quiet_hours=QuietHours())
ASKS = Rules(require_consent=RequireConsent.ENFORCE)


def asking(to_number: str = NEW_YORK, *, workspace: Rules = NONE, **known: object) -> Asking:
    base = {"channel": Channel.SMS, "waiting": 0, "applying": Applying(workspace=workspace)}
    return Asking(to_number=to_number, contact=to_number, **{**base, **known})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("case", "now", "ruling", "rule", "sentence"),
    [
        (asking(), NOON, "allowed", "opt_out", "The recipient has not opted out."),
        (
            asking(opted_out_at=NIGHT),
            NOON,
            "refused",
            "opt_out",
            "The recipient opted out at 2026-11-26 02:30 UTC; only START lifts that.",
        ),
        (
            asking(channel=Channel.WHATSAPP),
            NOON,
            "allowed",
            "window",
            "The recipient has not written in the last 24 hours, so WhatsApp takes only an approved template.",
        ),
        (
            asking(FRANCE, workspace=Rules(countries=["US"])),
            NOON,
            "refused",
            "country",
            "The number belongs to FR. The workspace allows only US.",
        ),
        (
            asking(workspace=ASKS, lacks=RequireConsent.ENFORCE),
            NOON,
            "refused",
            "consent",
            (
                "Nothing says that the recipient agreed to be written to on sms. An opening is refused, unless its "
                "call brings consent."
            ),
        ),
        (
            asking(workspace=QUIET),
            NOON,
            "allowed",
            "quiet_hours",
            "It is Thu 12:00 in America/New_York for the recipient, and no quiet hours.",
        ),
        (
            asking(workspace=QUIET),
            NIGHT,
            "deferred",
            "quiet_hours",
            (
                "It is Wed 21:30 in America/New_York for the recipient: quiet hours. "
                "An opening waits until they are over."
            ),
        ),
        (
            asking(CALIFORNIA, workspace=QUIET),
            NIGHT,
            "allowed",
            "quiet_hours",
            "It is Wed 18:30 in America/Los_Angeles for the recipient, and no quiet hours.",
        ),
        (
            asking(FICTIONAL, workspace=QUIET),
            NIGHT,
            "deferred",
            "quiet_hours",
            (
                "It is Wed 21:30 in America/New_York, Wed 20:30 in America/Chicago for the recipient: quiet hours. "
                "An opening waits until they are over."
            ),
        ),
        (
            asking(waiting=7, tails=(Tail(pool_id="p", name="x", per_second=1, at=NOON + timedelta(hours=2)),)),
            NOON,
            "allowed",
            "sender",
            "7 messages wait to leave from the sender. By its pace a new opening leaves about 2026-11-26 19:00:00 UTC.",
        ),
    ],
)
def test_ten_cases(case: Asking, now: datetime, ruling: str, rule: str, sentence: str) -> None:
    said = say_all(case, now)
    assert sentence in [one.sentence for one in said if one.rule == rule]
    assert overall(said) is Ruling(ruling)
