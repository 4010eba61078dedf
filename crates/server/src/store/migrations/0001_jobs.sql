-- Jobs, their stages, and what is kept so that no claim and no page counts or scans.
-- In the dialect that SQLite and PostgreSQL share. Times are milliseconds since 1970 UTC.

-- Sequences: advanced in the transaction that uses the number, so that numbers are in the order of commits.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counter (name, value) VALUES ('job', 0), ('event', 0);

CREATE TABLE job (
    seq BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    -- Derived from the stages in the same transaction, for lists.
    state TEXT NOT NULL,
    submitted_ms BIGINT NOT NULL,
    finished_ms BIGINT,
    flow TEXT NOT NULL,
    mode TEXT NOT NULL,
    -- JSON
    options TEXT NOT NULL,
    -- JSON
    plan TEXT NOT NULL,
    tree TEXT NOT NULL
);
CREATE INDEX job_of_state ON job (state, seq);

CREATE TABLE job_count (
    state TEXT PRIMARY KEY,
    n BIGINT NOT NULL
);

-- The few distinct combinations of stage and needs that were ever seen: a claim looks up each that
-- its worker can serve instead of reading the queue.
CREATE TABLE shape (
    needs_key TEXT PRIMARY KEY,
    stage TEXT NOT NULL,
    -- JSON
    needs TEXT NOT NULL
);

CREATE TABLE stage (
    job_seq BIGINT NOT NULL REFERENCES job (seq),
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    needs_key TEXT NOT NULL REFERENCES shape (needs_key),
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    failed_tries BIGINT NOT NULL,
    -- Who has it, or had it last.
    worker TEXT,
    attempt_key TEXT,
    lease_until_ms BIGINT,
    not_before_ms BIGINT,
    cancel_requested BIGINT NOT NULL,
    -- JSON; of a stage that is queued again: why the last attempt failed.
    cause TEXT,
    tree TEXT,
    -- JSON
    result TEXT,
    started_ms BIGINT,
    finished_ms BIGINT,
    PRIMARY KEY (job_seq, position)
);
CREATE INDEX stage_queued ON stage (needs_key, not_before_ms, job_seq) WHERE state = 'queued';
CREATE INDEX stage_running ON stage (lease_until_ms) WHERE state = 'running';

CREATE TABLE event (
    job_seq BIGINT NOT NULL REFERENCES job (seq),
    seq BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    job_state TEXT NOT NULL,
    stage TEXT NOT NULL,
    stage_state TEXT NOT NULL,
    attempt BIGINT,
    message TEXT NOT NULL,
    PRIMARY KEY (job_seq, seq)
);

CREATE TABLE worker (
    id TEXT PRIMARY KEY,
    -- JSON
    labels TEXT NOT NULL,
    seen_ms BIGINT NOT NULL
);
CREATE INDEX worker_seen ON worker (seen_ms);
