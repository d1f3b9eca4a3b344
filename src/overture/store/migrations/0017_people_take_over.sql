-- Who of the people has a conversation (nobody yet: null), and since when its contact waits for one of them.
ALTER TABLE conversation ADD COLUMN taken_by text;
ALTER TABLE conversation ADD COLUMN taken_at bigint;
ALTER TABLE conversation ADD COLUMN waits_since bigint;
CREATE INDEX conversation_with_people ON conversation (workspace_id, id) WHERE mode IN ('human', 'paused');

-- What a key brought besides a conversation: the lines that were written, from the first to the last.
ALTER TABLE idempotency ADD COLUMN first_seq integer;
ALTER TABLE idempotency ADD COLUMN last_seq integer
