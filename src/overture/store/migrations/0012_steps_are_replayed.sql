-- Which of a conversation's turns a step was taken in (how many were committed before it), what it asked for as a
-- digest, and when its turn began: a turn that is run again finds what was done, and does nothing twice.
ALTER TABLE step ADD COLUMN after_turns integer NOT NULL DEFAULT 0;
ALTER TABLE step ADD COLUMN digest text;
ALTER TABLE step ADD COLUMN turn_began_at bigint;
