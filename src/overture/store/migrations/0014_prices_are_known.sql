-- What a message costs, by channel, beginning of the number and category ('' for SMS), in millionths of a currency.
-- A table is whole or not there: its revision is in each row, and the workspace names the one that holds.
CREATE TABLE price (
    workspace_id text NOT NULL,
    revision text NOT NULL,
    channel text NOT NULL,
    prefix text NOT NULL,
    category text NOT NULL,
    micros bigint NOT NULL,
    currency text NOT NULL,
    PRIMARY KEY (workspace_id, revision, channel, prefix, category)
) /*sqlite: WITHOUT ROWID */;
ALTER TABLE workspace ADD COLUMN prices_revision text;

-- What a message was expected to cost when it was written.
ALTER TABLE message ADD COLUMN cost_micros bigint;
ALTER TABLE message ADD COLUMN cost_currency text;

-- What the provider charged, by each of its ids.
ALTER TABLE attempt ADD COLUMN price_micros bigint;
ALTER TABLE attempt ADD COLUMN price_currency text;
ALTER TABLE second_sid ADD COLUMN price_micros bigint;
ALTER TABLE second_sid ADD COLUMN price_currency text;

-- The message up to which those without a price were asked for once more, by the number of the look.
CREATE TABLE price_look (
    number integer NOT NULL PRIMARY KEY,
    looked_to text NOT NULL
);
