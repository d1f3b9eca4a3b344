-- An instance is bound to the public URLs it was started with; where none of them is there any more it is taken for a
-- copy, and sends and sweeps nothing until it is adopted.
ALTER TABLE instance ADD COLUMN public_urls text NOT NULL DEFAULT '[]';
ALTER TABLE instance ADD COLUMN shut_because text;

-- A sender whose outbox is shut sends nothing until its account was swept: shut_because is start, breaker or restore.
-- Only a sender whose webhook has reached us is swept for.
ALTER TABLE sender ADD COLUMN shut_at bigint;
ALTER TABLE sender ADD COLUMN shut_because text;
ALTER TABLE sender ADD COLUMN webhook_seen_at bigint;

-- Everything the provider dated before swept_to is known here. The breaker is closed, open or half_open.
ALTER TABLE provider_account ADD COLUMN swept_at bigint;
ALTER TABLE provider_account ADD COLUMN swept_to bigint;
ALTER TABLE provider_account ADD COLUMN breaker text NOT NULL DEFAULT 'closed';
ALTER TABLE provider_account ADD COLUMN breaker_at bigint;
ALTER TABLE provider_account ADD COLUMN probe_at bigint;

-- Why a queued message does not leave yet, where it is more than its turn.
ALTER TABLE outbox ADD COLUMN waits_because text;
CREATE INDEX outbox_in_review ON outbox (workspace_id, message_id) WHERE state = 'needs_review';

-- A further id that the provider gave for a try that had one: the message was taken twice.
CREATE TABLE second_sid (
    account_sid text NOT NULL,
    sid text NOT NULL,
    shard integer NOT NULL,
    message_id text NOT NULL,
    number integer NOT NULL,
    status text,
    error_code integer,
    seen_at bigint NOT NULL,
    PRIMARY KEY (account_sid, sid, shard)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX second_sid_of_message ON second_sid (message_id);

-- What came with a message, fetched from the provider and kept here.
CREATE TABLE media (
    id text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    conversation_id text NOT NULL,
    seq integer NOT NULL,
    number integer NOT NULL,
    account_sid text NOT NULL,
    url text NOT NULL,
    state text NOT NULL,
    content_type text,
    size integer,
    body bytea,
    reason text,
    tries integer NOT NULL,
    due_at bigint,
    created_at bigint NOT NULL,
    PRIMARY KEY (id, shard)
);
CREATE INDEX media_of_message ON media (workspace_id, conversation_id, seq, number);
CREATE INDEX media_due ON media (due_at) WHERE due_at IS NOT NULL;
