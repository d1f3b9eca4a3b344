-- What a caller says of its recipient's time zone and of how long the opening is worth sending, and when an opening that
-- waits for quiet hours to end may leave: kept with the conversation, for an opening that a turn is still to compose.
ALTER TABLE conversation ADD COLUMN recipient_timezone text;
ALTER TABLE conversation ADD COLUMN opening_due_at bigint;
ALTER TABLE conversation ADD COLUMN opening_expires_at bigint;
