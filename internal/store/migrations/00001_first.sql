-- The names that begin with @ stand for types; each engine puts in its own.
-- Rows of the secured tables end in rev (the revision that wrote them) and mac. There is no way down: an older
-- program refuses a newer schema, and going back is restoring a backup.
-- MariaDB commits after every CREATE; with @again and @repeat it goes on where it was cut off. The other engines make all
-- of it or nothing. Foreign keys are constraints of the table: MySQL does not see those of a column.

-- +goose Up
CREATE TABLE@again "store" (
    "one" @bool NOT NULL PRIMARY KEY CHECK ("one" = 1),
    "id" @id NOT NULL
) @table;

CREATE TABLE@again "revision" (
    "one" @bool NOT NULL PRIMARY KEY CHECK ("one" = 1),
    "n" @int NOT NULL,
    "root" @hash NOT NULL,
    "mac" @hash NOT NULL
) @table;

-- Every write locks this row first, so it has to be there before the first one. Revision 0 says nothing but "empty",
-- and needs no mac.
INSERT@repeat INTO "revision" ("one", "n", "root", "mac") VALUES (1, 0, @empty, @empty);

CREATE TABLE@again "changes" (
    "seq" @int NOT NULL,
    "tbl" @name NOT NULL,
    "pk" @text NOT NULL,
    "action" @name NOT NULL,
    "target" @text NOT NULL,
    "actor" @text NOT NULL,
    "request_id" @text NOT NULL,
    "at" @int NOT NULL,
    "record" @bytes NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    PRIMARY KEY ("rev", "seq")
) @table;

CREATE TABLE@again "fsps" (
    "name" @name NOT NULL PRIMARY KEY,
    "state" @name NOT NULL,
    "policy" @bytes NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "updated_at" @int NOT NULL,
    "updated_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL
) @table;

CREATE TABLE@again "series" (
    "id" @id NOT NULL PRIMARY KEY,
    "space" @name NOT NULL,
    "name" @name NOT NULL,
    "use" @name NOT NULL,
    "policy" @bytes NOT NULL,
    "current" @int NOT NULL,
    "deleted" @bool NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "updated_at" @int NOT NULL,
    "updated_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    UNIQUE ("space", "name")
) @table;

CREATE TABLE@again "objects" (
    "id" @id NOT NULL PRIMARY KEY,
    "series" @id NOT NULL,
    "version" @int NOT NULL,
    "kind" @name NOT NULL,
    "algorithm" @name NOT NULL,
    "bits" @int NOT NULL,
    "usage" @name NOT NULL,
    "state" @name NOT NULL,
    "expiry_type" @name NOT NULL,
    "created_at" @int NOT NULL,
    "updated_at" @int NOT NULL,
    "activated_at" @int NOT NULL,
    "not_before" @int NOT NULL,
    "not_after" @int NOT NULL,
    "superseded_at" @int NOT NULL,
    "compromised_at" @int NOT NULL,
    "destroyed_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "updated_by" @text NOT NULL,
    "parent" @id NOT NULL,
    "public" @bytes NOT NULL,
    "sealed" @bytes NOT NULL,
    "attrs" @bytes NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    UNIQUE ("series", "version"),
    FOREIGN KEY ("series") REFERENCES "series" ("id")
) @table;

CREATE TABLE@again "links" (
    "from" @id NOT NULL,
    "kind" @name NOT NULL,
    "to" @id NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    PRIMARY KEY ("from", "kind", "to")
) @table;

CREATE TABLE@again "adapters" (
    "name" @name NOT NULL PRIMARY KEY,
    "type" @name NOT NULL,
    "kind" @name NOT NULL,
    "launch" @name NOT NULL,
    "identity" @text NOT NULL,
    "enabled" @bool NOT NULL,
    "stopped" @bool NOT NULL,
    "operations" @bytes NOT NULL,
    "settings" @bytes NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "updated_at" @int NOT NULL,
    "updated_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL
) @table;

CREATE TABLE@again "endpoints" (
    "adapter" @name NOT NULL,
    "address" @name NOT NULL,
    "port" @int NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    PRIMARY KEY ("adapter", "address", "port"),
    FOREIGN KEY ("adapter") REFERENCES "adapters" ("name")
) @table;

CREATE TABLE@again "hsms" (
    "adapter" @name NOT NULL,
    "name" @name NOT NULL,
    "type" @name NOT NULL,
    "address" @name NOT NULL,
    "port" @int NOT NULL,
    "header_type" @name NOT NULL,
    "priority" @int NOT NULL,
    "health_interval" @int NOT NULL,
    "timeout" @int NOT NULL,
    "settings" @bytes NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "updated_at" @int NOT NULL,
    "updated_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    PRIMARY KEY ("adapter", "name"),
    FOREIGN KEY ("adapter") REFERENCES "adapters" ("name")
) @table;

CREATE TABLE@again "routes" (
    "space" @name NOT NULL,
    "operation" @name NOT NULL,
    "adapter" @name NOT NULL,
    "enabled" @bool NOT NULL,
    "timeout" @int NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "updated_at" @int NOT NULL,
    "updated_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    PRIMARY KEY ("space", "operation")
) @table;

CREATE TABLE@again "grants" (
    "principal" @name NOT NULL,
    "space" @name NOT NULL,
    "operation" @name NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "updated_at" @int NOT NULL,
    "updated_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    PRIMARY KEY ("principal", "space", "operation")
) @table;

CREATE TABLE@again "groups" (
    "name" @name NOT NULL PRIMARY KEY,
    "attrs" @bytes NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "updated_at" @int NOT NULL,
    "updated_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL
) @table;

CREATE TABLE@again "users" (
    "name" @name NOT NULL PRIMARY KEY,
    "group" @name NOT NULL,
    "enabled" @bool NOT NULL,
    "attrs" @bytes NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "updated_at" @int NOT NULL,
    "updated_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    FOREIGN KEY ("group") REFERENCES "groups" ("name")
) @table;

CREATE TABLE@again "group_commands" (
    "group" @name NOT NULL,
    "command" @name NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    PRIMARY KEY ("group", "command"),
    FOREIGN KEY ("group") REFERENCES "groups" ("name")
) @table;

CREATE TABLE@again "whitelist" (
    "adapter" @name NOT NULL,
    "address" @name NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    PRIMARY KEY ("adapter", "address"),
    FOREIGN KEY ("adapter") REFERENCES "adapters" ("name")
) @table;

CREATE TABLE@again "proposals" (
    "id" @id NOT NULL PRIMARY KEY,
    "action" @name NOT NULL,
    "target" @text NOT NULL,
    "document" @bytes NOT NULL,
    "expect_revision" @int NOT NULL,
    "request_id" @text NOT NULL,
    "state" @name NOT NULL,
    "required" @int NOT NULL,
    "expires_at" @int NOT NULL,
    "created_at" @int NOT NULL,
    "created_by" @text NOT NULL,
    "updated_at" @int NOT NULL,
    "updated_by" @text NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL
) @table;

CREATE TABLE@again "approvals" (
    "proposal" @id NOT NULL,
    "principal" @name NOT NULL,
    "decision" @name NOT NULL,
    "note" @text NOT NULL,
    "created_at" @int NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    PRIMARY KEY ("proposal", "principal"),
    FOREIGN KEY ("proposal") REFERENCES "proposals" ("id")
) @table;

CREATE TABLE@again "root_terms" (
    "id" @id NOT NULL PRIMARY KEY,
    "provider" @name NOT NULL,
    "sealed" @bytes NOT NULL,
    "state" @name NOT NULL,
    "created_at" @int NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL
) @table;

CREATE TABLE@again "keks" (
    "space" @name NOT NULL,
    "version" @int NOT NULL,
    "term" @id NOT NULL,
    "sealed" @bytes NOT NULL,
    "created_at" @int NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL,
    PRIMARY KEY ("space", "version"),
    FOREIGN KEY ("term") REFERENCES "root_terms" ("id")
) @table;

CREATE TABLE@again "settings" (
    "name" @name NOT NULL PRIMARY KEY,
    "value" @bytes NOT NULL,
    "rev" @int NOT NULL,
    "mac" @hash NOT NULL
) @table;
