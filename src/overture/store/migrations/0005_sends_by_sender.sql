-- Messages are claimed by sender: what waits behind a sender that is stopped or shut is never walked over.
CREATE INDEX outbox_of_sender ON outbox (sender_id, priority, due_at) WHERE state = 'queued';
DROP INDEX outbox_due;

-- How often a message could not even be claimed, and the end of the traceback of the last time.
ALTER TABLE outbox ADD COLUMN stumbles integer NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN stumbled_over text;
