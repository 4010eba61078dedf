//! Every SQL text that runs while the server serves, named; in the dialect that SQLite and
//! PostgreSQL share. A test asks the database how it would carry out each of them.

macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)*

        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql)),*];
    };
}

queries! {
    /// The write is for its lock: two servers must not read the same value.
    COUNTER_LOCK = "UPDATE counter SET value = value WHERE name = $1 RETURNING value";
    COUNTER_SET = "UPDATE counter SET value = $1 WHERE name = $2";

    JOB_INSERT = "INSERT INTO job (seq, id, title, state, submitted_ms, flow, mode, options, plan, tree)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
    JOB_BY_ID = "SELECT seq, id, title, state, submitted_ms, finished_ms, options, plan, tree, ended_as
        FROM job WHERE id = $1";
    JOB_KEY_BY_ID = "SELECT seq, state, ended_as FROM job WHERE id = $1";
    JOB_ID_BY_SEQ = "SELECT id, state, ended_as FROM job WHERE seq = $1";
    /// The plus keeps the database from taking the index of times, which has another order.
    JOB_PAGE = "SELECT seq, id, title, state, flow, mode, submitted_ms, finished_ms
        FROM job WHERE seq < $1 AND seq >= $2 AND +submitted_ms >= $3 AND +submitted_ms < $4
        ORDER BY seq DESC LIMIT $5";
    JOB_PAGE_OF_FLOW_AND_STATE = "SELECT seq, id, title, state, flow, mode, submitted_ms, finished_ms
        FROM job WHERE seq < $1 AND seq >= $2 AND +submitted_ms >= $3 AND +submitted_ms < $4
        AND flow = $6 AND state = $7 ORDER BY seq DESC LIMIT $5";
    JOB_PAGE_OF_TITLE = "SELECT seq, id, title, state, flow, mode, submitted_ms, finished_ms
        FROM job WHERE seq < $1 AND seq >= $2 AND +submitted_ms >= $3 AND +submitted_ms < $4
        AND title = $6 ORDER BY seq DESC LIMIT $5";
    JOB_FIRST_SINCE = "SELECT seq FROM job WHERE submitted_ms >= $1 ORDER BY submitted_ms, seq LIMIT 1";
    JOB_LAST_UNTIL = "SELECT seq FROM job WHERE submitted_ms < $1 ORDER BY submitted_ms DESC, seq DESC LIMIT 1";
    JOB_DELETE = "DELETE FROM job WHERE seq = $1";
    /// Titles have no control characters. Milliseconds become the seconds that the original has, a
    /// decimal number. What comes out of a sorted subquery is aggregated in its order.
    JOB_CSV = "SELECT MIN(seq), string_agg(line, '') FROM (SELECT seq, id || ',' ||
        CASE WHEN replace(replace(title, ',', ''), '\"', '') = title THEN title
        ELSE '\"' || replace(title, '\"', '\"\"') || '\"' END || ',' ||
        CAST(submitted_ms / 1000 AS TEXT) || '.' ||
        substr(CAST(1000 + submitted_ms % 1000 AS TEXT), 2, 3) || ',' || state || $3 AS line
        FROM job WHERE seq < $1 ORDER BY seq DESC LIMIT $2) AS part";
    JOB_RENAME = "UPDATE job SET title = $1 WHERE seq = $2";
    JOB_END_AS = "UPDATE job SET ended_as = $1 WHERE seq = $2";
    JOB_STATE_UPDATE = "UPDATE job SET state = $1, finished_ms = $2 WHERE seq = $3";
    JOB_COUNT_ADD = "INSERT INTO job_count (state, n) VALUES ($1, $2)
        ON CONFLICT (state) DO UPDATE SET n = job_count.n + excluded.n";
    JOB_COUNTS = "SELECT state, n FROM job_count";
    JOB_TREES = "SELECT seq, tree FROM job WHERE seq > $1 ORDER BY seq LIMIT $2";

    JOB_LIST_ENDED = "SELECT id FROM job WHERE finished_ms < $1 ORDER BY finished_ms LIMIT $2";
    JOB_COUNT_ENDED = "SELECT COUNT(*) FROM job WHERE finished_ms < $1";

    STAGE_INSERT = "INSERT INTO stage (job_seq, position, name, needs_key, state, attempts, failed_tries,
        not_before_ms, cancel_requested) VALUES ($1, $2, $3, $4, $5, 0, 0, $6, 0)";
    STAGE_LIST_OF_JOB = "SELECT position, name, needs_key, state, attempts, failed_tries, worker, attempt_key,
        lease_until_ms, not_before_ms, cancel_requested, cause, tree, result, started_ms, finished_ms,
        tries, round FROM stage WHERE job_seq = $1 ORDER BY position";
    /// Guarded: writes nothing when the stage is no longer what was read.
    STAGE_UPDATE = "UPDATE stage SET state = $1, attempts = $2, failed_tries = $3, worker = $4,
        attempt_key = $5, lease_until_ms = $6, not_before_ms = $7, cancel_requested = $8, cause = $9,
        tree = $10, result = $11, started_ms = $12, finished_ms = $13,
        tries = $14, round = $15
        WHERE job_seq = $16 AND position = $17 AND state = $18 AND attempts = $19";
    STAGE_LIST_QUEUED = "SELECT job_seq, position, not_before_ms FROM stage
        WHERE state = 'queued' AND needs_key = $1 AND not_before_ms <= $2
        ORDER BY not_before_ms, job_seq LIMIT $3";
    /// Bounded: the queue may be long.
    STAGE_COUNT_QUEUED = "SELECT COUNT(*), MIN(queued.not_before_ms) FROM (SELECT not_before_ms FROM stage
        WHERE state = 'queued' AND needs_key = $1 ORDER BY not_before_ms, job_seq LIMIT $2) AS queued";
    STAGE_COUNT_RUNNING = "SELECT COUNT(*) FROM (SELECT 1 FROM stage
        WHERE state = 'running' AND lease_until_ms > 0 LIMIT $1) AS running";
    /// Whatever word its state is, if it is none of those that end it.
    STAGE_SET_ASIDE = "UPDATE stage SET state = 'failed', cause = $1, finished_ms = $2, attempt_key = NULL,
        lease_until_ms = NULL, not_before_ms = NULL, tries = NULL, result = NULL
        WHERE job_seq = $3 AND state NOT IN ('succeeded', 'failed', 'cancelled')";
    STAGE_QUEUE = "SELECT stage.job_seq, job.id, job.title, stage.not_before_ms, stage.cause
        FROM stage JOIN job ON job.seq = stage.job_seq
        WHERE stage.state = 'queued' AND stage.needs_key = $1
        ORDER BY stage.not_before_ms, stage.job_seq LIMIT $2";
    STAGE_DELETE_OF_JOB = "DELETE FROM stage WHERE job_seq = $1";
    STAGE_NEXT_DELAYED = "SELECT MIN(not_before_ms) FROM stage
        WHERE state = 'queued' AND needs_key = $1 AND not_before_ms > $2";
    STAGE_LIST_EXPIRED = "SELECT job.id, stage.name, stage.attempts, stage.worker, stage.lease_until_ms, job.seq
        FROM stage JOIN job ON job.seq = stage.job_seq
        WHERE stage.state = 'running' AND stage.lease_until_ms <= $1
        ORDER BY stage.lease_until_ms LIMIT $2";
    STAGE_LIST_RUNNING = "SELECT job.id, stage.name, stage.attempts, stage.worker, stage.lease_until_ms, job.seq
        FROM stage JOIN job ON job.seq = stage.job_seq
        WHERE stage.state = 'running' AND stage.lease_until_ms > $1
        ORDER BY stage.lease_until_ms LIMIT $2";
    STAGE_NEXT_EXPIRY = "SELECT MIN(lease_until_ms) FROM stage
        WHERE state = 'running' AND lease_until_ms > $1";
    STAGE_TREES = "SELECT tree FROM stage WHERE job_seq > $1 AND job_seq <= $2 AND tree IS NOT NULL";

    SHAPE_INSERT = "INSERT INTO shape (needs_key, stage, needs) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    SHAPE_LIST = "SELECT needs_key, stage, needs FROM shape";

    EVENT_INSERT = "INSERT INTO event (job_seq, seq, at_ms, job_state, stage, stage_state, attempt, message)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    EVENT_LIST = "SELECT seq, at_ms, job_state, stage, stage_state, attempt, message FROM event
        WHERE job_seq = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    EVENT_LATEST = "SELECT seq, at_ms, job_state, stage, stage_state, attempt, message FROM event
        WHERE job_seq = $1 ORDER BY seq DESC LIMIT $2";
    EVENT_PAGE = "SELECT event.seq, at_ms, job_state, stage, stage_state, attempt, message, job.id
        FROM event JOIN job ON job.seq = event.job_seq
        WHERE event.seq > $1 ORDER BY event.seq LIMIT $2";
    EVENT_DELETE_OF_JOB = "DELETE FROM event WHERE job_seq = $1";
    EVENT_LAST = "SELECT MAX(seq) FROM event WHERE job_seq = $1";

    /// A name whose token is revoked is free again.
    TOKEN_ADD = "INSERT INTO token (name, role, hash, created_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO UPDATE SET role = excluded.role, hash = excluded.hash,
        created_ms = excluded.created_ms, revoked_ms = NULL WHERE token.revoked_ms IS NOT NULL";
    TOKEN_REVOKE = "UPDATE token SET revoked_ms = $1 WHERE name = $2 AND revoked_ms IS NULL";
    TOKEN_LIST = "SELECT name, role, hash, created_ms, revoked_ms FROM token ORDER BY name";

    WORKER_SAVE = "INSERT INTO worker (id, labels, seen_ms) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET labels = excluded.labels, seen_ms = excluded.seen_ms";
    WORKER_LIST = "SELECT id, labels, seen_ms FROM worker WHERE seen_ms > $1 ORDER BY seen_ms DESC LIMIT $2";
    WORKER_FORGET = "DELETE FROM worker WHERE seen_ms <= $1";
}

/// An insertion of one row, as one of so many rows.
pub(crate) fn of_rows(insert: &str, rows: usize) -> String {
    let (begin, end) = insert.split_once("VALUES (").unwrap_or((insert, ""));
    let (row, end) = end.split_once(')').unwrap_or((end, ""));
    let width = row.matches('$').count();
    let mut sql = format!("{begin}VALUES ");
    for number in 0..rows {
        let mut parameter = number * width;
        sql.push_str(if number == 0 { "(" } else { ", (" });
        for (place, value) in row.split(',').enumerate() {
            if place > 0 {
                sql.push(',');
            }
            if value.trim_start().starts_with('$') {
                parameter += 1;
                sql.push_str(&format!(" ${parameter}"));
            } else {
                sql.push_str(value);
            }
        }
        sql.push(')');
    }
    sql + end
}
