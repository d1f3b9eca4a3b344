-- How many different people a pool's senders may write to first within 24 hours, and whether it has a pace as well:
-- where it has none, per_second is the fastest there is, for versions that know nothing else.
ALTER TABLE pool ADD COLUMN recipients_a_day integer;
ALTER TABLE pool ADD COLUMN paced boolean NOT NULL DEFAULT TRUE;

-- Whom a pool's senders wrote to outside the window: bucket is the hour of the last time, in seconds, message_id what
-- was sent then, earlier the hour before that: what counts again where that message never left.
CREATE TABLE recipient (
    pool_id text NOT NULL,
    contact_id text NOT NULL,
    shard integer NOT NULL,
    bucket bigint NOT NULL,
    earlier bigint,
    message_id text NOT NULL,
    PRIMARY KEY (pool_id, contact_id, shard)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX recipient_by_hour ON recipient (pool_id, bucket);
CREATE INDEX recipient_of_message ON recipient (message_id);
