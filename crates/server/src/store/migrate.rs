//! Brings a database to the schema that this program knows: numbered steps, only forward.

use super::StoreError;
use sqlx::{AnyConnection, Connection as _, Row as _};
use std::path::Path;

/// In their order. A step that has been released is never changed.
const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("migrations/0001_jobs.sql")),
    (2, include_str!("migrations/0002_job_line.sql")),
    (3, include_str!("migrations/0003_tries.sql")),
    (4, include_str!("migrations/0004_tokens.sql")),
    (5, include_str!("migrations/0005_lists.sql")),
    (6, include_str!("migrations/0006_ended_jobs.sql")),
    (7, include_str!("migrations/0007_ended_as.sql")),
    (8, include_str!("migrations/0008_round.sql")),
];

/// Refuses a database that is not of exactly this program's schema. Changes nothing.
pub(super) async fn check(connection: &mut AnyConnection, instance: &Path) -> Result<(), StoreError> {
    let found = known_steps(connection, instance).await?;
    let known = MIGRATIONS.last().map_or(0, |(version, _)| *version);
    if found < MIGRATIONS.len() {
        let found = found.checked_sub(1).map_or(0, |last| MIGRATIONS[last].0);
        let instance = instance.to_owned();
        return Err(StoreError::Older {
            instance,
            found,
            known,
        });
    }
    Ok(())
}

/// Creates what is missing; refuses a database that a newer program has been at.
pub(super) async fn migrate(connection: &mut AnyConnection, instance: &Path) -> Result<(), StoreError> {
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS migration (version BIGINT PRIMARY KEY, checksum TEXT NOT NULL)",
    )
    .execute(&mut *connection)
    .await?;
    let done = known_steps(connection, instance).await?;
    for (version, sql) in &MIGRATIONS[done..] {
        let mut step = connection.begin().await?;
        sqlx::raw_sql(*sql).execute(&mut *step).await?;
        sqlx::query("INSERT INTO migration (version, checksum) VALUES ($1, $2)")
            .bind(*version)
            .bind(checksum_of(sql))
            .execute(&mut *step)
            .await?;
        step.commit().await?;
    }
    Ok(())
}

/// How many steps have been taken, all of them known.
async fn known_steps(connection: &mut AnyConnection, instance: &Path) -> Result<usize, StoreError> {
    let done = sqlx::query("SELECT version, checksum FROM migration ORDER BY version")
        .fetch_all(&mut *connection)
        .await?;
    let known = MIGRATIONS.last().map_or(0, |(version, _)| *version);
    for row in &done {
        let (version, checksum): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let Some((_, sql)) = MIGRATIONS.iter().find(|(number, _)| *number == version) else {
            return Err(StoreError::Newer {
                instance: instance.to_owned(),
                found: version.max(known + 1),
                known,
            });
        };
        if checksum != checksum_of(sql) {
            return Err(StoreError::ChangedMigration {
                instance: instance.to_owned(),
                version,
            });
        }
    }
    Ok(done.len().min(MIGRATIONS.len()))
}

/// FNV-1a, 64 bits: it tells an edited file from the released one; nobody attacks it.
fn checksum_of(sql: &str) -> String {
    let hash = sql.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
