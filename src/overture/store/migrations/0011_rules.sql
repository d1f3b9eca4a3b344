-- What a workspace and a sender allow of messages that nobody is waiting for, as JSON; an agent's stand in its versions.
ALTER TABLE workspace ADD COLUMN rules text NOT NULL DEFAULT '{}';
ALTER TABLE sender ADD COLUMN rules text NOT NULL DEFAULT '{}';
