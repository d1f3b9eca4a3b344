-- A pool is what messages share a pace with: a sender's own (its id is the sender's), a Messaging Service, a campaign…
-- Its next message leaves at tat at the earliest; planned_at is when its last one does, replies how many replies went
-- that no opening has made up for.
CREATE TABLE pool (
    id text NOT NULL PRIMARY KEY,
    workspace_id text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    per_second double precision NOT NULL,
    tat bigint NOT NULL DEFAULT 0,
    planned_at bigint NOT NULL DEFAULT 0,
    replies integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX pool_by_name ON pool (workspace_id, kind, name);

-- planned_at is when the pool's last message of this sender leaves.
CREATE TABLE pool_member (
    sender_id text NOT NULL,
    pool_id text NOT NULL,
    planned_at bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (sender_id, pool_id)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX pool_member_of_pool ON pool_member (pool_id);

-- How long a pool's queue is: an opening that is accepted now leaves at tail_at. messages and segments are what waits,
-- as last counted and with what has been accepted since.
CREATE TABLE queue (
    pool_id text NOT NULL PRIMARY KEY,
    tail_at bigint NOT NULL DEFAULT 0,
    messages bigint NOT NULL DEFAULT 0,
    segments bigint NOT NULL DEFAULT 0
);
