-- What an operator's server is told of hand-overs: written with the fact itself, delivered later, tried for a day.
-- due_at is null once it was delivered or given up.
CREATE TABLE notice (
    id text NOT NULL PRIMARY KEY,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    conversation_id text NOT NULL,
    kind text NOT NULL,
    body text NOT NULL,
    url text NOT NULL,
    secret text,
    state text NOT NULL,
    tries integer NOT NULL,
    reason text,
    due_at bigint,
    created_at bigint NOT NULL,
    finished_at bigint
);
CREATE INDEX notice_due ON notice (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notice_of_conversation ON notice (workspace_id, conversation_id);
CREATE INDEX notice_finished ON notice (finished_at) WHERE finished_at IS NOT NULL
