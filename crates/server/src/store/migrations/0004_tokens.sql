-- Who may do what over TCP. A token's secret is not kept, only its hash. Names stay when tokens are revoked:
-- that there ever was one means that every request needs one.
CREATE TABLE token (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL,
    revoked_ms BIGINT
);
