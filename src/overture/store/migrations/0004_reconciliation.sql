-- What an attempt was made with, so that a message the carrier failed may go again as it went before. None of them is
-- known of attempts that an earlier version made: those are not repeated.
ALTER TABLE attempt ADD COLUMN thread_id text;
ALTER TABLE attempt ADD COLUMN epoch integer;
ALTER TABLE attempt ADD COLUMN priority integer;
ALTER TABLE attempt ADD COLUMN confirms_opt_out boolean;

-- Attempts of unknown fate: what the provider lists may be theirs, whatever became of their messages since.
CREATE INDEX attempt_unnamed ON attempt (thread_id) WHERE sid IS NULL AND state IN ('uncertain', 'absent');

-- A message that the carrier failed goes again in minutes or hours: what was said after it does not wait for it.
ALTER TABLE outbox ADD COLUMN may_be_passed boolean NOT NULL DEFAULT FALSE;
