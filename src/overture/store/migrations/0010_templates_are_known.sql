-- The provider's templates as they were when last fetched. details is the whole of one; gone_at is when the provider
-- was found to have it no more: what was sent with it still names it.
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
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX template_by_name ON template (workspace_id, name, content_sid) WHERE gone_at IS NULL;

-- When an account's templates are to be fetched again; whoever moves it does so.
ALTER TABLE provider_account ADD COLUMN templates_due_at bigint;
