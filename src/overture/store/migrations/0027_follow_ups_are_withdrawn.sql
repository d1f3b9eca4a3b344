-- Where a follow-up's turn went on from, as JSON: its agent's state, place and what it awaited. An unsaid follow-up is
-- undone by it. NULL where there is nothing to undo, or what it did cannot be.
ALTER TABLE turn ADD COLUMN went_on_from text;
