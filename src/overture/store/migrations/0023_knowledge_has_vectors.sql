-- Knowledge by meaning. The space is the model and the length of its vectors; another one has a base embedded anew.
ALTER TABLE knowledge ADD COLUMN space text;
ALTER TABLE knowledge ADD COLUMN embedded integer NOT NULL DEFAULT 0;
ALTER TABLE knowledge ADD COLUMN embed_due_at bigint NOT NULL DEFAULT 0;
ALTER TABLE knowledge ADD COLUMN embed_tries integer NOT NULL DEFAULT 0;
-- It has all that is asked of it, so that nobody reads past the texts to find what is due.
CREATE INDEX knowledge_to_embed ON knowledge (embed_due_at, deleted_at, passages, embedded, space, id);

-- The signs stand first: all of a base's are read for a question, the numbers of a few. Both are empty where the
-- endpoint refused the passage.
CREATE TABLE vector (
    entry bigint NOT NULL PRIMARY KEY,
    signs bytea NOT NULL,
    numbers bytea NOT NULL
);
