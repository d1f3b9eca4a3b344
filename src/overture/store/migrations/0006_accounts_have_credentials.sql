-- An account may be set up over the API: then its credentials are kept here, sealed (see domain/ports.py, Vault), and
-- origin is 'api'. Those of the settings stay there.
ALTER TABLE provider_account ADD COLUMN origin text NOT NULL DEFAULT 'settings';
ALTER TABLE provider_account ADD COLUMN name text;
ALTER TABLE provider_account ADD COLUMN parent_sid text;
ALTER TABLE provider_account ADD COLUMN region text;
ALTER TABLE provider_account ADD COLUMN edge text;
ALTER TABLE provider_account ADD COLUMN api_url text;
ALTER TABLE provider_account ADD COLUMN content_url text;
ALTER TABLE provider_account ADD COLUMN messaging_url text;
ALTER TABLE provider_account ADD COLUMN media_url text;
ALTER TABLE provider_account ADD COLUMN auth_token text;
ALTER TABLE provider_account ADD COLUMN second_auth_token text;
ALTER TABLE provider_account ADD COLUMN api_key_sid text;
ALTER TABLE provider_account ADD COLUMN api_key_secret text;
ALTER TABLE provider_account ADD COLUMN changed_at bigint;
CREATE UNIQUE INDEX provider_account_of_api ON provider_account (sid) WHERE origin = 'api';

-- A sender of the settings is retired when they name it no more, one of the API only by the API.
ALTER TABLE sender ADD COLUMN origin text NOT NULL DEFAULT 'settings';
