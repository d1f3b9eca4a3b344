-- What a contact's own caps have counted stands in the contact's row, by the caps' names, which name no contact any
-- more: a new contact takes no row beside its own. What caps counted for contacts until now is kept.
ALTER TABLE contact ADD COLUMN counted text;
ALTER TABLE taking ADD COLUMN contact text NOT NULL DEFAULT '';
ALTER TABLE cap_change ADD COLUMN contact text NOT NULL DEFAULT '';
DROP INDEX cap_change_of_cap;
CREATE INDEX cap_change_of_cap ON cap_change (workspace_id, cap, contact);
/*pg: UPDATE contact SET counted = old.counted FROM (
    SELECT workspace_id, split_part(name, ' ', 3) AS address, json_object_agg(
        split_part(name, ' ', 1) || ' ' || split_part(name, ' ', 2) || ' contact '
        || split_part(name, ' ', 4) || ' ' || split_part(name, ' ', 5), buckets::json)::text AS counted
    FROM cap WHERE split_part(name, ' ', 3) <> '-' GROUP BY 1, 2) AS old
WHERE contact.workspace_id = old.workspace_id AND contact.address = old.address */
/*sqlite: UPDATE contact SET counted = old.counted FROM (
    SELECT workspace_id, address, json_group_object(
        replace(name, ' ' || address || ' ', ' contact '), json(buckets)) AS counted
    FROM (
        SELECT workspace_id, name, buckets, substr(tail, 1, instr(tail, ' ') - 1) AS address FROM (
            SELECT workspace_id, name, buckets, substr(rest, instr(rest, ' ') + 1) AS tail FROM (
                SELECT workspace_id, name, buckets, substr(name, instr(name, ' ') + 1) AS rest FROM cap)))
    WHERE address <> '-' GROUP BY workspace_id, address) AS old
WHERE contact.workspace_id = old.workspace_id AND contact.address = old.address */;
DROP INDEX cap_by_end;
DROP INDEX reservation_by_end;
CREATE INDEX reservation_by_end ON reservation (until)
