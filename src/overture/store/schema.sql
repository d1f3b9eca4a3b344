-- The sum of the migrations, as SQLite keeps it. For readers: nothing runs it, and a test holds it true.

CREATE TABLE agent (
    workspace_id text NOT NULL,
    id text NOT NULL,
    name text NOT NULL,
    version integer NOT NULL,
    details text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    deleted_at bigint,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE agent_version (
    workspace_id text NOT NULL,
    agent_id text NOT NULL,
    version integer NOT NULL,
    spec text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (workspace_id, agent_id, version)
);

CREATE TABLE api_key (
    kid text NOT NULL PRIMARY KEY,
    workspace_id text NOT NULL,
    secret_sha256 text NOT NULL,
    scopes text NOT NULL,
    name text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);

CREATE TABLE attempt (
    message_id text NOT NULL,
    number integer NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    account_sid text NOT NULL,
    conversation_id text NOT NULL,
    seq integer NOT NULL,
    state text NOT NULL,
    sid text,
    status text,
    error_code integer,
    reason text,
    duplicate boolean NOT NULL,
    started_at bigint NOT NULL,
    finished_at bigint, thread_id text, epoch integer, priority integer, confirms_opt_out boolean, price_micros bigint, price_currency text,
    PRIMARY KEY (message_id, number, shard)
)  WITHOUT ROWID;

CREATE UNIQUE INDEX attempt_by_sid ON attempt (account_sid, sid, shard) WHERE sid IS NOT NULL;

CREATE INDEX attempt_unnamed ON attempt (thread_id) WHERE sid IS NULL AND state IN ('uncertain', 'absent');

CREATE TABLE cap (
    workspace_id text NOT NULL,
    name text NOT NULL,
    buckets text NOT NULL,
    near_at bigint,
    reached_at bigint,
    until bigint NOT NULL,
    PRIMARY KEY (workspace_id, name)
)  WITHOUT ROWID;

CREATE TABLE cap_change (
    entry   integer  NOT NULL PRIMARY KEY,
    workspace_id text NOT NULL,
    cap text NOT NULL,
    bucket bigint NOT NULL,
    amount bigint NOT NULL,
    until bigint NOT NULL
, contact text NOT NULL DEFAULT '');

CREATE INDEX cap_change_of_cap ON cap_change (workspace_id, cap, contact);

CREATE TABLE consent (
    id text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    contact_id text NOT NULL,
    sender_id text,
    channel text NOT NULL,
    change text NOT NULL,
    source text NOT NULL,
    evidence text NOT NULL,
    at bigint NOT NULL, purpose text NOT NULL DEFAULT 'any', recorded_at bigint, recorded_by text, row_key text,
    PRIMARY KEY (id, shard)
)  WITHOUT ROWID;

CREATE INDEX consent_by_id ON consent (workspace_id, id);

CREATE UNIQUE INDEX consent_by_row_key ON consent (workspace_id, row_key, shard) WHERE row_key IS NOT NULL;

CREATE INDEX consent_of_contact ON consent (workspace_id, contact_id, at);

CREATE TABLE contact (
    workspace_id text NOT NULL,
    address text NOT NULL,
    id text NOT NULL,
    shard integer NOT NULL,
    alias_of text,
    name text,
    opted_out_at bigint,
    created_at bigint NOT NULL, revision integer NOT NULL DEFAULT 0, met_by text, opted_out_of text, counted text,
    PRIMARY KEY (workspace_id, address)
)  WITHOUT ROWID;

CREATE INDEX contact_by_id ON contact (id);

CREATE TABLE conversation (
    id text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    thread_id text,
    channel text NOT NULL,
    agent_id text NOT NULL,
    agent_version integer NOT NULL,
    mode text NOT NULL,
    end_reason text,
    mode_note text,
    epoch integer NOT NULL,
    fence integer NOT NULL,
    last_seq integer NOT NULL,
    in_seq integer NOT NULL,
    handled_seq integer NOT NULL,
    turns integer NOT NULL,
    tries integer NOT NULL,
    turn_due_at bigint,
    turn_leased boolean NOT NULL,
    reply_due_at bigint,
    first_pending_at bigint,
    state text,
    place text,
    expects text,
    variables text NOT NULL,
    metadata text NOT NULL,
    start_digest text NOT NULL,
    asked_at bigint NOT NULL,
    previous_conversation_id text,
    created_at bigint NOT NULL,
    last_activity_at bigint NOT NULL,
    ended_at bigint,
    deleted_at bigint, recipient_timezone text, opening_due_at bigint, opening_expires_at bigint, taken_by text, taken_at bigint, waits_since bigint, follow_up_due_at bigint, follow_up_next_at bigint, follow_up_about text, follow_up_epoch integer, follow_up_after_seq integer, follow_up_waits text, follow_ups integer NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id, shard)
)  WITHOUT ROWID;

CREATE INDEX conversation_by_time ON conversation (workspace_id, created_at, id);

CREATE UNIQUE INDEX conversation_live ON conversation (thread_id, shard) WHERE thread_id IS NOT NULL AND mode <> 'ended';

CREATE INDEX conversation_turn_due ON conversation (turn_due_at) WHERE turn_due_at IS NOT NULL;

CREATE INDEX conversation_with_people ON conversation (workspace_id, id) WHERE mode IN ('human', 'paused');

CREATE TABLE event (
    id text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    conversation_id text,
    kind text NOT NULL,
    data text NOT NULL,
    at bigint NOT NULL,
    position bigint,
    PRIMARY KEY (id, shard)
)  WITHOUT ROWID;

CREATE UNIQUE INDEX event_by_position ON event (workspace_id, position, shard) WHERE position IS NOT NULL;

CREATE TABLE idempotency (
    workspace_id text NOT NULL,
    key text NOT NULL,
    digest text NOT NULL,
    conversation_id text NOT NULL,
    created_at bigint NOT NULL, first_seq integer, last_seq integer,
    PRIMARY KEY (workspace_id, key)
)  WITHOUT ROWID;

CREATE TABLE inbox (
    id text NOT NULL,
    shard integer NOT NULL,
    kind text NOT NULL,
    account_sid text NOT NULL,
    unique_key text NOT NULL,
    ordering_key text NOT NULL,
    query text NOT NULL,
    body bytea,
    state text NOT NULL,
    tries integer NOT NULL,
    due_at bigint,
    received_at bigint NOT NULL,
    workspace_id text,
    outcome text,
    PRIMARY KEY (id, shard)
)  WITHOUT ROWID;

CREATE INDEX inbox_due ON inbox (due_at, id) WHERE due_at IS NOT NULL;

CREATE INDEX inbox_left_over ON inbox (state, id) WHERE state IN ('unrouted', 'parked');

CREATE UNIQUE INDEX inbox_once ON inbox (account_sid, unique_key, shard);

CREATE INDEX inbox_order ON inbox (ordering_key, id) WHERE due_at IS NOT NULL;

CREATE TABLE instance (
    id text NOT NULL PRIMARY KEY,
    callback_secret text NOT NULL,
    created_at bigint NOT NULL
, public_urls text NOT NULL DEFAULT '[]', shut_because text);

CREATE TABLE knowledge (
    workspace_id text NOT NULL,
    id text NOT NULL PRIMARY KEY,
    name text NOT NULL,
    version integer NOT NULL,
    hash text NOT NULL,
    body text NOT NULL,
    characters integer NOT NULL,
    passages integer NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    deleted_at bigint
, space text, embedded integer NOT NULL DEFAULT 0, embed_due_at bigint NOT NULL DEFAULT 0, embed_tries integer NOT NULL DEFAULT 0);

CREATE UNIQUE INDEX knowledge_by_name ON knowledge (workspace_id, name);

CREATE INDEX knowledge_to_embed ON knowledge (embed_due_at, deleted_at, passages, embedded, space, id);

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

CREATE INDEX media_due ON media (due_at) WHERE due_at IS NOT NULL;

CREATE INDEX media_of_message ON media (workspace_id, conversation_id, seq, number);

CREATE TABLE message (
    workspace_id text NOT NULL,
    conversation_id text NOT NULL,
    seq integer NOT NULL,
    shard integer NOT NULL,
    id text NOT NULL,
    direction text NOT NULL,
    author text NOT NULL,
    body text NOT NULL,
    place text,
    turn_id text,
    status text,
    provider_sid text,
    error_code integer,
    reason text,
    segments integer,
    possible_duplicate boolean NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint, cost_micros bigint, cost_currency text,
    PRIMARY KEY (workspace_id, conversation_id, seq, shard)
)  WITHOUT ROWID;

CREATE TABLE migration (
        number integer NOT NULL PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL
    );

CREATE TABLE model_check (
    base_url text NOT NULL,
    model text NOT NULL,
    found text NOT NULL,
    checked_at bigint NOT NULL,
    PRIMARY KEY (base_url, model)
)  WITHOUT ROWID;

CREATE TABLE model_day (
    workspace_id text NOT NULL,
    agent_id text NOT NULL,
    day integer NOT NULL,
    currency text NOT NULL,
    requests bigint NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cost_micros bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, day, agent_id, currency)
)  WITHOUT ROWID;

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

CREATE INDEX notice_finished ON notice (finished_at) WHERE finished_at IS NOT NULL;

CREATE INDEX notice_of_conversation ON notice (workspace_id, conversation_id);

CREATE TABLE outbox (
    message_id text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    conversation_id text NOT NULL,
    thread_id text NOT NULL,
    sender_id text NOT NULL,
    seq integer NOT NULL,
    epoch integer NOT NULL,
    priority integer NOT NULL,
    state text NOT NULL,
    attempt integer NOT NULL,
    tries integer NOT NULL,
    due_at bigint NOT NULL,
    started_at bigint,
    looks integer NOT NULL,
    resent boolean NOT NULL,
    confirms_opt_out boolean NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL, waits_because text, may_be_passed boolean NOT NULL DEFAULT FALSE, stumbles integer NOT NULL DEFAULT 0, stumbled_over text, sent_to text,
    PRIMARY KEY (message_id, shard)
)  WITHOUT ROWID;

CREATE INDEX outbox_in_review ON outbox (workspace_id, message_id) WHERE state = 'needs_review';

CREATE INDEX outbox_of_sender ON outbox (sender_id, priority, due_at) WHERE state = 'queued';

CREATE INDEX outbox_of_thread ON outbox (thread_id, created_at, seq) WHERE state <> 'needs_review';

CREATE INDEX outbox_open ON outbox (due_at) WHERE state IN ('sending', 'uncertain');

CREATE TABLE passage (
    entry   integer  NOT NULL PRIMARY KEY,
    knowledge_id text NOT NULL,
    number integer NOT NULL,
    title text NOT NULL,
    body text NOT NULL
);

CREATE UNIQUE INDEX passage_by_number ON passage (knowledge_id, number);

CREATE VIRTUAL TABLE passage_index USING fts5(words, content='', contentless_delete=1, tokenize='ascii');

CREATE TABLE past_line (
    sender_id text NOT NULL,
    contact text NOT NULL,
    sid text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    direction text NOT NULL,
    body text NOT NULL,
    place integer NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (sender_id, contact, sid, shard)
)  WITHOUT ROWID;

CREATE INDEX past_line_by_time ON past_line (at);

CREATE TABLE pool (
    id text NOT NULL PRIMARY KEY,
    workspace_id text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    per_second double precision NOT NULL,
    tat bigint NOT NULL DEFAULT 0,
    planned_at bigint NOT NULL DEFAULT 0,
    replies integer NOT NULL DEFAULT 0
, recipients_a_day integer, paced boolean NOT NULL DEFAULT TRUE);

CREATE UNIQUE INDEX pool_by_name ON pool (workspace_id, kind, name);

CREATE TABLE pool_member (
    sender_id text NOT NULL,
    pool_id text NOT NULL,
    planned_at bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (sender_id, pool_id)
)  WITHOUT ROWID;

CREATE INDEX pool_member_of_pool ON pool_member (pool_id);

CREATE TABLE price (
    workspace_id text NOT NULL,
    revision text NOT NULL,
    channel text NOT NULL,
    prefix text NOT NULL,
    category text NOT NULL,
    micros bigint NOT NULL,
    currency text NOT NULL,
    PRIMARY KEY (workspace_id, revision, channel, prefix, category)
)  WITHOUT ROWID;

CREATE TABLE price_look (
    number integer NOT NULL PRIMARY KEY,
    looked_to text NOT NULL
);

CREATE TABLE provider_account (
    workspace_id text NOT NULL,
    sid text NOT NULL,
    created_at bigint NOT NULL,
    stopped_at bigint,
    stopped_because text, swept_at bigint, swept_to bigint, breaker text NOT NULL DEFAULT 'closed', breaker_at bigint, probe_at bigint, origin text NOT NULL DEFAULT 'settings', name text, parent_sid text, region text, edge text, api_url text, content_url text, messaging_url text, media_url text, auth_token text, second_auth_token text, api_key_sid text, api_key_secret text, changed_at bigint, templates_due_at bigint,
    PRIMARY KEY (workspace_id, sid)
);

CREATE UNIQUE INDEX provider_account_of_api ON provider_account (sid) WHERE origin = 'api';

CREATE TABLE queue (
    pool_id text NOT NULL PRIMARY KEY,
    tail_at bigint NOT NULL DEFAULT 0,
    messages bigint NOT NULL DEFAULT 0,
    segments bigint NOT NULL DEFAULT 0
);

CREATE TABLE recipient (
    pool_id text NOT NULL,
    contact_id text NOT NULL,
    shard integer NOT NULL,
    bucket bigint NOT NULL,
    earlier bigint,
    message_id text NOT NULL,
    PRIMARY KEY (pool_id, contact_id, shard)
)  WITHOUT ROWID;

CREATE INDEX recipient_by_hour ON recipient (pool_id, bucket);

CREATE INDEX recipient_of_message ON recipient (message_id);

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
)  WITHOUT ROWID;

CREATE INDEX reservation_by_end ON reservation (until);

CREATE INDEX reservation_of_cap ON reservation (workspace_id, cap, contact, bucket);

CREATE TABLE second_sid (
    account_sid text NOT NULL,
    sid text NOT NULL,
    shard integer NOT NULL,
    message_id text NOT NULL,
    number integer NOT NULL,
    status text,
    error_code integer,
    seen_at bigint NOT NULL, price_micros bigint, price_currency text,
    PRIMARY KEY (account_sid, sid, shard)
)  WITHOUT ROWID;

CREATE INDEX second_sid_of_message ON second_sid (message_id);

CREATE TABLE sender (
    id text NOT NULL PRIMARY KEY,
    workspace_id text NOT NULL,
    account_sid text NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    kind text NOT NULL,
    messaging_service_sid text,
    keyword_handling text NOT NULL,
    inbound_agent_id text,
    activated_at bigint,
    created_at bigint NOT NULL,
    removed_at bigint,
    stopped_at bigint,
    stopped_because text
, shut_at bigint, shut_because text, webhook_seen_at bigint, restored_from bigint, restored_at bigint, inbound text NOT NULL DEFAULT 'webhook', foreign_outbound text NOT NULL DEFAULT 'note', past_read_at bigint, origin text NOT NULL DEFAULT 'settings', rules text NOT NULL DEFAULT '{}');

CREATE UNIQUE INDEX sender_by_account ON sender (account_sid, channel, address);

CREATE UNIQUE INDEX sender_by_address ON sender (workspace_id, channel, address);

CREATE TABLE step (
    turn_id text NOT NULL,
    number integer NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    conversation_id text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    request text NOT NULL,
    result text,
    started_at bigint NOT NULL,
    finished_at bigint, after_turns integer NOT NULL DEFAULT 0, to_seq integer, turn_began_at bigint, digest text, input_tokens bigint, output_tokens bigint, cost_micros bigint, cost_currency text, is_guess boolean,
    PRIMARY KEY (turn_id, number, shard)
)  WITHOUT ROWID;

CREATE INDEX step_of_conversation ON step (workspace_id, conversation_id);

CREATE TABLE taking (
    message_id text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    takes text NOT NULL,
    until bigint NOT NULL, contact text NOT NULL DEFAULT '',
    PRIMARY KEY (message_id, shard)
)  WITHOUT ROWID;

CREATE TABLE template (
    content_sid text NOT NULL,
    account_sid text NOT NULL,
    workspace_id text NOT NULL,
    name text NOT NULL,
    language text NOT NULL,
    approval text NOT NULL,
    details text NOT NULL,
    fetched_at bigint NOT NULL,
    gone_at bigint,
    PRIMARY KEY (content_sid, account_sid, workspace_id)
)  WITHOUT ROWID;

CREATE INDEX template_by_name ON template (workspace_id, name, content_sid) WHERE gone_at IS NULL;

CREATE TABLE thread (
    id text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    channel text NOT NULL,
    sender_id text NOT NULL,
    contact_id text NOT NULL,
    contact_address text NOT NULL,
    last_inbound_at bigint,
    last_conversation_id text,
    created_at bigint NOT NULL, merged_into text,
    PRIMARY KEY (id, shard)
)  WITHOUT ROWID;

CREATE INDEX thread_joined ON thread (contact_id) WHERE merged_into IS NOT NULL;

CREATE UNIQUE INDEX thread_of_pair ON thread (contact_id, sender_id, shard) WHERE merged_into IS NULL;

CREATE TABLE timer (
    due_at bigint NOT NULL,
    conversation_id text NOT NULL,
    kind text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    epoch integer NOT NULL,
    after_seq integer NOT NULL,
    PRIMARY KEY (due_at, conversation_id, kind, shard)
)  WITHOUT ROWID;

CREATE TABLE turn (
    id text NOT NULL,
    shard integer NOT NULL,
    workspace_id text NOT NULL,
    conversation_id text NOT NULL,
    trigger text NOT NULL,
    from_seq integer NOT NULL,
    to_seq integer NOT NULL,
    epoch integer NOT NULL,
    fence integer NOT NULL,
    redrafts integer NOT NULL,
    outcome text NOT NULL,
    note text,
    path text NOT NULL,
    started_at bigint NOT NULL,
    finished_at bigint NOT NULL, went_on_from text,
    PRIMARY KEY (id, shard)
)  WITHOUT ROWID;

CREATE INDEX turn_of_conversation ON turn (workspace_id, conversation_id, started_at);

CREATE TABLE vector (
    entry bigint NOT NULL PRIMARY KEY,
    signs bytea NOT NULL,
    numbers bytea NOT NULL
);

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

CREATE TABLE workspace (
    id text NOT NULL PRIMARY KEY,
    name text NOT NULL,
    created_at bigint NOT NULL
, rules text NOT NULL DEFAULT '{}', prices_revision text);
