-- What a number, a service or a WhatsApp sender was set to at the provider before it was connected, and what it was set
-- to then: disconnecting gives it back as it was, unless somebody else has changed it since.
CREATE TABLE wiring (
    workspace_id text NOT NULL,
    account_sid text NOT NULL,
    sid text NOT NULL,
    place text NOT NULL,
    addresses text NOT NULL,
    before text NOT NULL,
    became text NOT NULL,
    connected_at bigint NOT NULL,
    PRIMARY KEY (workspace_id, sid)
);
