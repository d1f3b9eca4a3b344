-- What every cap has counted of late: buckets is JSON, [[start, used], …], in seconds; near_at and reached_at are when
-- that was last told. Whoever accepts openings under a cap holds its row, so that no two count past each other.
CREATE TABLE cap (
    workspace_id text NOT NULL,
    name text NOT NULL,
    buckets text NOT NULL,
    near_at bigint,
    reached_at bigint,
    until bigint NOT NULL,
    PRIMARY KEY (workspace_id, name)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX cap_by_end ON cap (workspace_id, until);

-- What a message takes of a cap. counted is what the cap's row holds of it already: where the two differ, the next
-- opening under this cap takes the difference in. until is when nothing asks for it any more.
CREATE TABLE reservation (
    message_id text NOT NULL,
    cap text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    contact text NOT NULL,
    bucket bigint NOT NULL,
    amount bigint NOT NULL,
    counted bigint NOT NULL,
    until bigint NOT NULL,
    PRIMARY KEY (message_id, cap, shard)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX reservation_of_cap ON reservation (workspace_id, cap, contact, bucket);
CREATE INDEX reservation_uncounted ON reservation (workspace_id, cap) WHERE amount <> counted;
CREATE INDEX reservation_by_end ON reservation (workspace_id, until);
