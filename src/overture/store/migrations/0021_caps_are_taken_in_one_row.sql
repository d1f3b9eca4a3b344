-- What a message takes of the caps it falls under, all in one row: takes is JSON, [[cap, bucket, amount], …], and until
-- when nothing asks for it any more. It is found by its message alone; what is old stands first, since ids are sorted by
-- time. From now on reservation is for caps on recipients alone: it says who was written to, and when.
CREATE TABLE taking (
    message_id text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    takes text NOT NULL,
    until bigint NOT NULL,
    PRIMARY KEY (message_id, shard)
) /*sqlite: WITHOUT ROWID */;

-- What is to be counted into a cap's row, or out of it, by the next who holds that row.
CREATE TABLE cap_change (
    entry /*pg: bigint GENERATED ALWAYS AS IDENTITY */ /*sqlite: integer */ NOT NULL PRIMARY KEY,
    workspace_id text NOT NULL,
    cap text NOT NULL,
    bucket bigint NOT NULL,
    amount bigint NOT NULL,
    until bigint NOT NULL
);
CREATE INDEX cap_change_of_cap ON cap_change (workspace_id, cap);

-- What was reserved before stays counted for as long as its cap looks back, even where it is given back.
INSERT INTO cap_change (workspace_id, cap, bucket, amount, until)
    SELECT workspace_id, cap, bucket, amount - counted, until FROM reservation
    WHERE amount <> counted AND cap NOT LIKE 'recipients %';
DELETE FROM reservation WHERE cap NOT LIKE 'recipients %';
DROP INDEX reservation_uncounted;
