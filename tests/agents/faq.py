"""Two small FAQs, and questions as people write them in a text message, with the title of the passage that answers."""

from typing import Final

ENGLISH: Final = """\
# Harbour Street Salon

## Opening hours
We are open Tuesday to Friday from 9:00 to 19:00, and on Saturday from 9:00 to 16:00. On Sunday and Monday we are
closed.

## Prices
A haircut costs 35 dollars for short hair and 48 dollars for long hair. Colouring starts at 70 dollars.

## Cancelling an appointment
You can cancel or move your appointment free of charge until 24 hours before. After that we charge half of the price.

## Parking
There is a car park behind the house. Parking is free for two hours. The bus 12 stops in front of our door.

## Paying
We take cash, debit cards and all usual credit cards. We do not take cheques.

## Children
Children up to ten years pay half. We have a corner with toys where they can play.

## Gift vouchers
Vouchers are sold at the counter and by email. A voucher is valid for three years.

## Allergies
Tell us about allergies before a colouring: we make a skin test two days earlier.

## Jobs
We are looking for trainees. Send your application to Maria.
"""

GERMAN: Final = """\
# Friseur am Hafen

## Öffnungszeiten
Wir haben Dienstag bis Freitag von 9 bis 19 Uhr geöffnet, am Samstag von 9 bis 16 Uhr. Sonntag und Montag ist zu.

## Preise
Ein Haarschnitt kostet 35 Euro bei kurzen und 48 Euro bei langen Haaren. Färben beginnt bei 70 Euro.

## Termin absagen oder verschieben
Termine können Sie bis 24 Stunden vorher kostenlos absagen oder verschieben. Danach berechnen wir den halben Preis.

## Parken und Anfahrt
Hinter dem Haus ist ein Parkplatz, zwei Stunden sind frei. Der Bus 12 hält vor der Tür.

## Bezahlen
Wir nehmen Bargeld, EC-Karte und alle gängigen Kreditkarten.

## Kinder
Kinder bis zehn Jahre zahlen die Hälfte. Es gibt eine Spielecke.

## Gutscheine
Gutscheine gibt es an der Kasse und per E-Mail. Ein Gutschein gilt drei Jahre.

## Lieferung von Pflegeprodukten
Pflegeprodukte schicken wir auch zu. Die Lieferzeit beträgt drei Werktage, der Versand kostet 4,90 Euro.
"""

QUESTIONS: Final = (
    (ENGLISH, "when are you open??", "Opening hours"),
    (ENGLISH, "r u open on sunday", "Opening hours"),
    (ENGLISH, "What are your opening times on saturday", "Opening hours"),
    (ENGLISH, "how much is a haircut", "Prices"),
    (ENGLISH, "HOW MUCH DOES COLOURING COST", "Prices"),
    (ENGLISH, "i have to cancel my appointment tomorrow, does it cost anything?", "Cancelling an appointment"),
    (ENGLISH, "can i move the appointment", "Cancelling an appointment"),
    (ENGLISH, "where can I park my car", "Parking"),
    (ENGLISH, "is there a bus?", "Parking"),
    (ENGLISH, "do you accept credit card", "Paying"),
    (ENGLISH, "can I pay with a cheque", "Paying"),
    (ENGLISH, "my child is 5, does she pay the full price", "Children"),
    (ENGLISH, "how long is my voucher valid", "Gift vouchers"),
    (ENGLISH, "I'm allergic, have allergies against hair dye", "Allergies"),
    (ENGLISH, "are you looking for a trainee", "Jobs"),
    (GERMAN, "wann habt ihr offen? öffnungszeiten", "Öffnungszeiten"),
    (GERMAN, "OFFNUNGSZEITEN", "Öffnungszeiten"),
    (GERMAN, "Habt ihr am Sonntag auch auf?", "Öffnungszeiten"),
    (GERMAN, "was kostet ein haarschnitt", "Preise"),
    (GERMAN, "Kann ich meinen Termin absagen?", "Termin absagen oder verschieben"),
    (GERMAN, "termin verschieben", "Termin absagen oder verschieben"),
    (GERMAN, "wo ist ein Parkplatz", "Parken und Anfahrt"),
    (GERMAN, "Nehmen Sie Kreditkarten?", "Bezahlen"),
    (GERMAN, "was zahlt mein Kind", "Kinder"),
    (GERMAN, "Wie lange gelten die Gutscheine", "Gutscheine"),
    (GERMAN, "wie lange dauert die Lieferung", "Lieferung von Pflegeprodukten"),
)
NOTHING: Final = ("", "?!", "hi, what is it?", "und was ist das?", "👍🏽", "quantum chromodynamics", "\u200f\u200e")

HOSTILE: Final = (
    '"',
    "''",
    "' OR 1=1 --",
    'sunday" OR "a',
    "sunday AND NOT open",
    "NEAR(sunday monday)",
    "words:sunday",
    "sun*",
    "^sunday",
    "sunday & !open | ( )",
    "'sunday':*",
    "sunday:A <-> open",
    "\\' \\\\ $1 ?1 %s {0}",
    "-sunday +open (",
    "/* sunday */ ; DROP TABLE passage",
    "متى تفتحون يوم الأحد؟",
    "\u202esunday\u202c",
    "👨‍👩‍👧‍👦 sunday 🕘",
    "日曜日は開いていますか",
    "วันอาทิตย์เปิดไหม",
    "a" * 10_000,
    "sunday " * 1_500,
    "²³½ ﬁ ǅ ß İ",
    "\ud7ff\ue000\uffff",
)
