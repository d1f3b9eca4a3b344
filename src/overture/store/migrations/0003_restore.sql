-- A sender that came back with a restored backup: what its provider took since restored_from is not known here. Until
-- that is found out it sends nothing and its conversations take no turns; then both are empty again.
ALTER TABLE sender ADD COLUMN restored_from bigint;
ALTER TABLE sender ADD COLUMN restored_at bigint;
