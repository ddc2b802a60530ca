-- What each process that follows the database has in memory: its revision is that of its row. Like changes, the rows have
-- macs and do not count in the root: they are written without a change of anything else.

-- +goose Up
CREATE TABLE@again "replicas" (
    "name" @name NOT NULL PRIMARY KEY,
    "at" @int NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL
) @table;
