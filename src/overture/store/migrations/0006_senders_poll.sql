-- How a sender's inbound messages come in, and what becomes of messages from it that are not ours. `past_read_at` is
-- when the day before its activation was read, once.
ALTER TABLE sender ADD COLUMN inbound text NOT NULL DEFAULT 'webhook';
ALTER TABLE sender ADD COLUMN foreign_outbound text NOT NULL DEFAULT 'note';
ALTER TABLE sender ADD COLUMN past_read_at bigint;

-- What was said between a sender and a contact before the sender was activated, for whoever goes on. `place` is where
-- it stood in the provider's list, 1 for the newest.
CREATE TABLE past_line (
    sender_id text NOT NULL,
    contact text NOT NULL,
    sid text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    direction text NOT NULL,
    body text NOT NULL,
    place integer NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (sender_id, contact, sid, shard)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX past_line_by_time ON past_line (at);
