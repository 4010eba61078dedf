//! Designs for the tests: the repository's examples, and small ones written on the spot.

use polyphemus_core::design::{Design, DesignFile, wants_text};
use polyphemus_core::flow::{FlowSettings, JobOptions, PlanError, plan};
use polyphemus_core::plan::Plan;
use std::fs;
use std::path::{Path, PathBuf};

pub fn design(files: &[(&str, &str)]) -> Design {
    Design::new(files.iter().map(|(path, text)| {
        let size_bytes = text.len() as u64;
        let text = wants_text(path, size_bytes).then(|| (*text).to_owned());
        ((*path).to_owned(), DesignFile { size_bytes, text })
    }))
}

pub fn options(given: &[(&str, &str)]) -> JobOptions {
    given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub fn planned(design: &Design, given: &[(&str, &str)]) -> Result<Plan, PlanError> {
    plan(&options(given), design, &FlowSettings::default())
}

/// A folder of `examples/`.
pub fn example(name: &str) -> Design {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name);
    let mut files = Vec::new();
    let mut todo: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).expect("the example is there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                todo.push(path);
                continue;
            }
            let name = path
                .strip_prefix(&root)
                .expect("below the root")
                .to_string_lossy()
                .into_owned();
            let size_bytes = path.metadata().expect("the file is there").len();
            let text = wants_text(&name, size_bytes).then(|| fs::read_to_string(&path).expect("text"));
            files.push((name, DesignFile { size_bytes, text }));
        }
    }
    Design::new(files)
}
