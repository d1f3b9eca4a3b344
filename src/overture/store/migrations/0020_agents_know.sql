-- What agents may look up: a named text of a workspace, cut into passages. One that was removed keeps its row, so that
-- no version of a name is ever given twice.
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
);
CREATE UNIQUE INDEX knowledge_by_name ON knowledge (workspace_id, name);

-- entry is a number because SQLite's index can name its rows by nothing else.
CREATE TABLE passage (
    entry /*pg: bigint GENERATED ALWAYS AS IDENTITY */ /*sqlite: integer */ NOT NULL PRIMARY KEY,
    knowledge_id text NOT NULL,
    number integer NOT NULL,
    title text NOT NULL,
    body text NOT NULL
);
CREATE UNIQUE INDEX passage_by_number ON passage (knowledge_id, number);

-- The words of passages as we fold them, with the id of their base as one more word. It keeps no texts.
/*pg: CREATE TABLE passage_index (entry bigint NOT NULL PRIMARY KEY, words tsvector NOT NULL) */
/*sqlite: CREATE VIRTUAL TABLE passage_index USING fts5(words, content='', contentless_delete=1, tokenize='ascii') */;
/*pg: CREATE INDEX passage_index_words ON passage_index USING gin (words) */;
