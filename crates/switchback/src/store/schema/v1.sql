-- Version 1. Only SQL that PostgreSQL takes too; times are milliseconds since the epoch; the JSON
-- columns are opaque here and carry a version of their own. Once released, this file never changes:
-- what comes later is a migration.

CREATE TABLE store_meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Small columns first: listing all deployments must not read their large `target`.
CREATE TABLE deployments (
    name            TEXT NOT NULL PRIMARY KEY,
    kind            TEXT NOT NULL,
    engine          TEXT NOT NULL,
    target_key      TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    current_release BIGINT,
    -- The highest number ever given, so that a removed release never lends its number to another.
    last_release    BIGINT NOT NULL DEFAULT 0,
    observed_at     BIGINT,
    status          TEXT,
    target          TEXT NOT NULL
);

CREATE TABLE releases (
    deployment  TEXT NOT NULL REFERENCES deployments (name) ON UPDATE CASCADE ON DELETE CASCADE,
    number      BIGINT NOT NULL,
    state       TEXT NOT NULL,
    version     TEXT NOT NULL,
    label       TEXT,
    created_at  BIGINT NOT NULL,
    description TEXT NOT NULL,
    PRIMARY KEY (deployment, number)
);

-- Operations outlive their deployment: the history of what was forgotten stays.
CREATE TABLE operations (
    id           TEXT NOT NULL PRIMARY KEY,
    deployment   TEXT NOT NULL,
    target_key   TEXT NOT NULL,
    action       TEXT NOT NULL,
    triggered_by TEXT NOT NULL,
    user_name    TEXT NOT NULL,
    host_name    TEXT NOT NULL,
    process_id   BIGINT NOT NULL,
    command_line TEXT NOT NULL,
    started_at   BIGINT NOT NULL,
    finished_at  BIGINT,
    outcome      TEXT,
    exit_code    BIGINT,
    error_code   TEXT,
    related      TEXT,
    result       TEXT
);
CREATE INDEX operations_by_time ON operations (started_at, id);
CREATE INDEX operations_by_deployment ON operations (deployment, started_at, id);
CREATE INDEX operations_open ON operations (started_at, id) WHERE finished_at IS NULL;

CREATE TABLE journal (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    sequence  BIGINT NOT NULL,
    record    TEXT NOT NULL,
    PRIMARY KEY (operation, sequence)
);

CREATE TABLE operation_logs (
    operation     TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    sequence      BIGINT NOT NULL,
    stream        TEXT NOT NULL,
    charged_bytes BIGINT NOT NULL,
    body          TEXT NOT NULL,
    PRIMARY KEY (operation, sequence)
);

-- Without references to `deployments`: a configured deployment can be checked, held or have a
-- version set aside before it was ever taken over.
CREATE TABLE quarantine (
    deployment       TEXT NOT NULL,
    version          TEXT NOT NULL,
    -- The empty fingerprint stands for every run specification.
    spec_fingerprint TEXT NOT NULL,
    reason           TEXT NOT NULL,
    added_at         BIGINT NOT NULL,
    PRIMARY KEY (deployment, version, spec_fingerprint)
);

CREATE TABLE holds (
    deployment TEXT NOT NULL PRIMARY KEY,
    reference  TEXT NOT NULL
);

CREATE TABLE checks (
    deployment TEXT NOT NULL PRIMARY KEY,
    checked_at BIGINT NOT NULL,
    result     TEXT NOT NULL
);
