//! Small designs that a test writes: Makefiles whose steps take the time that the test needs.

use std::path::Path;
use tempfile::TempDir;

/// A folder with these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("the folder can be made");
        std::fs::write(path, content).expect("the file can be written");
    }
    folder
}

/// Builds for some seconds, with a background process that nobody waits for, then runs.
pub fn slow(seconds: u32) -> TempDir {
    folder(&[(
        "Makefile",
        &format!(
            "all:\n\
             \t@echo begin\n\
             \t@setsid sh -c 'trap \"\" TERM HUP; sleep 3600' >/dev/null 2>&1 &\n\
             \tsleep {seconds}\n\
             \t@echo result > result.txt\n\
             \t@printf '#!/bin/sh\\necho TEST PASSED\\n' > exe; chmod +x exe\n\
             \t@echo end\n"
        ),
    )])
}
