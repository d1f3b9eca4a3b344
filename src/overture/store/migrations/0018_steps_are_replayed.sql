-- Which of a conversation's turns a step was taken in (how many were committed before it), up to which line that had
-- heard and when it began, and what the step asked for, as a digest: a turn that is run again does nothing twice.
ALTER TABLE step ADD COLUMN after_turns integer NOT NULL DEFAULT 0;
ALTER TABLE step ADD COLUMN to_seq integer;
ALTER TABLE step ADD COLUMN turn_began_at bigint;
ALTER TABLE step ADD COLUMN digest text;
