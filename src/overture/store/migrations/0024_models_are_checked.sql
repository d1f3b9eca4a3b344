-- What an endpoint can and cannot do, as a check found it: by its address and its model, since another model there is
-- another endpoint. It belongs to the server's settings and thereby to no workspace.
CREATE TABLE model_check (
    base_url text NOT NULL,
    model text NOT NULL,
    found text NOT NULL,
    checked_at bigint NOT NULL,
    PRIMARY KEY (base_url, model)
) /*sqlite: WITHOUT ROWID */;
