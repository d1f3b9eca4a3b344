-- A contact's facts change with what addresses it has: who read it at an older revision decides again. met_by is the
-- sender at which an address was met.
ALTER TABLE contact ADD COLUMN revision integer NOT NULL DEFAULT 0;
ALTER TABLE contact ADD COLUMN met_by text;

-- A thread that was joined with another of the same pair, when two contacts turned out to be one. What was said in it
-- stays with it; nothing new goes there.
ALTER TABLE thread ADD COLUMN merged_into text;
DROP INDEX thread_of_pair;
CREATE UNIQUE INDEX thread_of_pair ON thread (contact_id, sender_id, shard) WHERE merged_into IS NULL;
CREATE INDEX thread_joined ON thread (contact_id) WHERE merged_into IS NOT NULL;

-- The form of the contact's address that a message went to: by it the provider's record of it is found, whatever form
-- the contact has written from since.
ALTER TABLE outbox ADD COLUMN sent_to text;
