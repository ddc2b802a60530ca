-- How many uses of a key version have been taken out by the processes that count them. Like replicas, the rows have macs and do
-- not count in the root: they are written without a change of anything else.

-- +goose Up
CREATE TABLE@again "key_uses" (
    "id" @id NOT NULL PRIMARY KEY,
    "used" @int NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL
) @table;
