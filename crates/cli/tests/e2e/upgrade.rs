//! An instance that another version of the program has worked on.

use crate::operator::copy;
use crate::served::{Served, said, text};
use crate::{designs, job_of, start};
use std::path::Path;
use std::process::Command;

/// The first schema with the rows of the present one; its check sum is that of the released file.
const FIRST_SCHEMA: &str = "
import sqlite3, sys
new, old, schema = sys.argv[1:]
db = sqlite3.connect(old)
db.executescript(open(schema).read())
db.execute('CREATE TABLE migration (version BIGINT PRIMARY KEY, checksum TEXT NOT NULL)')
db.execute('DELETE FROM counter')
db.execute('ATTACH ? AS new', (new,))
db.execute('INSERT INTO migration SELECT * FROM new.migration WHERE version = 1')
for table, in db.execute(\"SELECT name FROM main.sqlite_master WHERE type = 'table'\").fetchall():
    if table != 'migration':
        columns = ', '.join(row[1] for row in db.execute(f'PRAGMA main.table_info({table})'))
        db.execute(f'INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}')
db.commit()
";
const NEWER: &str = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute(\"INSERT INTO migration VALUES (4711, 'of a newer version')\")
db.commit()
";

#[tokio::test]
async fn an_instance_of_an_older_version_is_brought_up_to_date_and_one_of_a_newer_is_refused() {
    let mut server = start(&[]);
    let design = designs::slow(0);
    let done = job_of(&server, design.path(), &["mode=sw_emu"], "done").await;
    server.kill();
    let folder = tempfile::tempdir().expect("a folder");
    let instance = folder.path().join("instance");
    copy(&server.instance(), &instance);
    let (database, new) = (instance.join("polyphemus.db"), folder.path().join("new.db"));
    // What is in the write-ahead log belongs to it: the first connection takes it in.
    for end in ["", "-wal"] {
        let from = format!("{}{end}", database.display());
        if Path::new(&from).exists() {
            std::fs::rename(from, format!("{}{end}", new.display())).expect("it can be moved");
        }
    }
    drop(std::fs::remove_file(format!("{}-shm", database.display())));
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/store/migrations/0001_jobs.sql");
    python(FIRST_SCHEMA, &[text(&new), text(&database), text(&schema)]);

    let instance = text(&instance);
    let told = said(&["fsck", "--instance", instance], 3);
    assert!(
        told.contains("schema 1") && told.contains("polyphemus serve"),
        "{told}"
    );
    let upgraded = Served::on(instance, &[]);
    let job = upgraded.client().job(&done.id).await.expect("it is there");
    assert_eq!((job.state, job.stages.len()), (done.state, done.stages.len()));
    let (_, content) = upgraded.get(&format!("/jobs/{}/files/code/result.txt", done.id));
    assert_eq!(content, "result\n");
    said(
        &[
            "submit",
            "--follow",
            text(design.path()),
            "-o",
            "mode=sw_emu",
            "--server",
            &upgraded.url(),
        ],
        0,
    );
    drop(upgraded);
    said(&["fsck", "--instance", instance], 0);

    python(NEWER, &[text(&database)]);
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["fsck"]] {
        let told = said(&[command, &["--instance", instance]].concat(), 3);
        assert!(
            told.contains("schema 4711") && told.contains("newer version"),
            "{told}"
        );
    }
}

fn python(program: &str, arguments: &[&str]) {
    let output = Command::new("python3")
        .args(["-c", program])
        .args(arguments)
        .output();
    let output = output.expect("there is python3");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}
