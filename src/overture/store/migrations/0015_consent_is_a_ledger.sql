-- What each line of the ledger is for, when and by whom it was written down, and the key by which an imported row is
-- known again. `at` stays when it happened.
ALTER TABLE consent ADD COLUMN purpose text NOT NULL DEFAULT 'any';
ALTER TABLE consent ADD COLUMN recorded_at bigint;
ALTER TABLE consent ADD COLUMN recorded_by text;
ALTER TABLE consent ADD COLUMN row_key text;
CREATE UNIQUE INDEX consent_by_row_key ON consent (workspace_id, row_key, shard) WHERE row_key IS NOT NULL;
CREATE INDEX consent_by_id ON consent (workspace_id, id);

-- Opt-outs that reach less far than the workspace, as JSON: since when, by sender or Messaging Service. NULL: none.
ALTER TABLE contact ADD COLUMN opted_out_of text;
