-- What a conversation's agent means to follow up: when it was to speak up and when that is looked at next (never again
-- once its turn is due), what about, set in which epoch and after which message, why it waits; and how many follow-ups
-- there were since the contact last wrote.
ALTER TABLE conversation ADD COLUMN follow_up_due_at bigint;
ALTER TABLE conversation ADD COLUMN follow_up_next_at bigint;
ALTER TABLE conversation ADD COLUMN follow_up_about text;
ALTER TABLE conversation ADD COLUMN follow_up_epoch integer;
ALTER TABLE conversation ADD COLUMN follow_up_after_seq integer;
ALTER TABLE conversation ADD COLUMN follow_up_waits text;
ALTER TABLE conversation ADD COLUMN follow_ups integer NOT NULL DEFAULT 0;
