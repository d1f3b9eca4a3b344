-- What an endpoint can and cannot do, as a check found it: by its address and its model, since another model there is
-- another endpoint. It belongs to the server's settings and thereby to no workspace.
CREATE TABLE model_check (
    base_url text NOT NULL,
    model text NOT NULL,
    found text NOT NULL,
    checked_at bigint NOT NULL,
    PRIMARY KEY (base_url, model)
) /*sqlite: WITHOUT ROWID */;

-- What a model's step took; before its answer, what it may take. Days are counted from 1970 in UTC; amounts of several
-- currencies stand apart, and those of endpoints without a price under none.
ALTER TABLE step ADD COLUMN input_tokens bigint;
ALTER TABLE step ADD COLUMN output_tokens bigint;
ALTER TABLE step ADD COLUMN cost_micros bigint;
ALTER TABLE step ADD COLUMN cost_currency text;
ALTER TABLE step ADD COLUMN is_guess boolean;
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
) /*sqlite: WITHOUT ROWID */;
