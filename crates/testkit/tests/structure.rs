//! Holds the repository to what its documents say of it: who may depend on whom, under which
//! licences, and that every path ARCHITECTURE.md names is there.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each crate with the only ones of ours that it may be built with.
const DOWNWARDS: [(&str, &[&str]); 11] = [
    ("core", &[]),
    ("fault", &[]),
    ("api", &["core"]),
    ("artifacts", &["core", "fault"]),
    ("reports", &["core"]),
    ("device", &["core"]),
    (
        "worker",
        &["api", "artifacts", "reports", "device", "core", "fault"],
    ),
    ("server", &["api", "artifacts", "reports", "core", "fault"]),
    (
        "cli",
        &[
            "server",
            "worker",
            "api",
            "artifacts",
            "reports",
            "device",
            "core",
            "fault",
        ],
    ),
    ("testkit", &["api", "core"]),
    ("load", &[]),
];

/// What only one crate of ours may depend on directly.
const RESERVED: [(&str, &str); 3] = [("axum", "server"), ("sqlx", "server"), ("clap", "cli")];

/// Licences that a dependency may be used under; of a choice, one must be here.
const LICENCES: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that must not come in by anyone's back door, and why.
const BANNED: [(&str, &str); 3] = [
    ("aws-lc-sys", "needs cmake; ring is the one TLS provider"),
    ("openssl-sys", "ring is the one TLS provider"),
    ("native-tls", "ring is the one TLS provider"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the repository is there")
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--offline",
            "--all-features",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

#[test]
fn crates_depend_only_downwards() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, BTreeSet<&str>> = DOWNWARDS
        .iter()
        .map(|(name, below)| (*name, below.iter().copied().collect()))
        .collect();
    let mut seen = BTreeSet::new();
    for package in list(&metadata, "packages") {
        let Some(name) = text(package, "name").strip_prefix("polyphemus-") else {
            continue;
        };
        let below = allowed
            .get(name)
            .unwrap_or_else(|| panic!("crate `{name}` has no place in the graph"));
        seen.insert(name.to_owned());
        for dependency in list(package, "dependencies").filter(|dependency| dependency["kind"].is_null()) {
            let on = text(dependency, "name");
            if let Some(ours) = on.strip_prefix("polyphemus-") {
                assert!(below.contains(ours), "crate `{name}` must not depend on `{ours}`");
            }
            for (reserved, owner) in RESERVED {
                assert!(
                    on != reserved || name == owner,
                    "only `{owner}` may depend on {reserved}, not `{name}`"
                );
            }
        }
    }
    assert_eq!(
        seen.len(),
        DOWNWARDS.len(),
        "a crate of the graph is gone: {seen:?}"
    );
}

#[test]
fn dependencies_are_free_to_use_and_none_is_banned() {
    let metadata = metadata();
    let licences: BTreeSet<&str> = LICENCES.into_iter().collect();
    let may = |expression: &str| {
        expression.replace('/', " OR ").split(" OR ").any(|choice| {
            let choice = choice.trim().trim_matches(['(', ')']);
            choice
                .split(" AND ")
                .all(|one| licences.contains(one.trim().trim_matches(['(', ')'])))
        })
    };
    for package in list(&metadata, "packages") {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        assert!(
            may(licence),
            "{name} is under `{licence}`, which is not on the list"
        );
        for (banned, why) in BANNED {
            assert!(name != banned, "{banned} is in the tree: {why}");
        }
    }
}

#[test]
fn every_path_that_the_architecture_names_is_there() {
    let root = root();
    let document = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    assert!(
        document.lines().count() <= 300,
        "ARCHITECTURE.md is longer than 300 lines"
    );
    let mut named = 0;
    for quoted in document.split('`').skip(1).step_by(2) {
        let begins = ["crates/", "docs/", "examples/", "tools/", ".ci/", "deploy/"];
        if begins.iter().any(|begin| quoted.starts_with(begin)) && !quoted.contains(['*', '<', '{', ' ']) {
            named += 1;
            assert!(
                root.join(quoted).exists(),
                "ARCHITECTURE.md names `{quoted}`, which is not there"
            );
        }
    }
    assert!(named > 30, "ARCHITECTURE.md names only {named} paths");
}

#[test]
fn every_source_file_says_what_it_is() {
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .expect("the folder can be read")
            .flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
                assert!(
                    text.starts_with("//!"),
                    "{} does not open with `//!`",
                    path.display()
                );
            }
        }
    }
}
