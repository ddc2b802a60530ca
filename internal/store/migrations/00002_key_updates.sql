-- The last key update that was accepted of each space: a later one has a higher number.

-- +goose Up
CREATE TABLE@again "key_updates" (
    "space" @name NOT NULL PRIMARY KEY,
    "seq" @int NOT NULL,
    "nonce" @name NOT NULL,
    "at" @int NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL
) @table;
