//! The designs of these lives: Makefiles whose recipes take no time and print numbered lines.

use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What a recipe prints, one number a line.
pub const BUILT: u32 = 40;
pub const RAN: u32 = 20;

/// Content that the journal of small contents does not take.
const LARGE_BYTES: usize = 300_000;
/// More small contents than one segment of the journal takes.
const MANY: usize = 300;
const SMALL_BYTES: usize = 60_000;

/// A job of these lives: how it is called, and what is handed in.
#[derive(Debug, Clone)]
pub struct Design {
    pub title: &'static str,
    pub mode: &'static str,
    files: Vec<(String, Vec<u8>)>,
}

/// Makes and runs, with contents small and large that no other design has: nothing of it is there already.
pub fn two_stages(title: &'static str) -> Design {
    let makefile = format!(
        "all:\n\
         \t@for n in $$(seq {BUILT}); do echo \"built $$n\"; done\n\
         \t@cat large large > larger; echo {title} > result.txt\n\
         \t@printf '#!/bin/sh\\nfor n in $$(seq {RAN}); do echo \"ran $$n\"; done\\necho TEST PASSED\\n' > exe\n\
         \t@chmod +x exe\n"
    );
    Design {
        title,
        mode: "sw_emu",
        files: vec![
            ("Makefile".into(), makefile.into()),
            ("large".into(), noise(title.len(), LARGE_BYTES)),
        ],
    }
}

/// Goes on until it is cancelled.
pub fn endless() -> Design {
    Design {
        title: "endless",
        mode: "estimate",
        files: vec![("Makefile".into(), b"all:\n\t@echo begun; sleep 3600\n".to_vec())],
    }
}

/// Takes a virtual board and finds that its bitstream is none.
pub fn on_a_board() -> Design {
    let makefile = "all:\n\t@mkdir -p build; echo rubbish > build/top.bin\n";
    Design {
        title: "board",
        mode: "hw",
        files: vec![
            ("Makefile".into(), makefile.into()),
            ("top.pcf".into(), b"set_io LED 99\n".to_vec()),
        ],
    }
}

/// Many files that are all different.
pub fn many_files() -> Design {
    let mut files = vec![("Makefile".to_owned(), b"all:\n\t@true\n".to_vec())];
    files.extend((0..MANY).map(|number| (format!("data/{number}"), noise(100 + number, SMALL_BYTES))));
    Design {
        title: "many",
        mode: "estimate",
        files,
    }
}

impl Design {
    pub fn archive(&self) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (path, content) in &self.files {
            zip.start_file(path.as_str(), stored).expect("an entry");
            zip.write_all(content).expect("its content");
        }
        zip.finish().expect("an archive").into_inner()
    }
}

/// Bytes that do not repeat, the same for the same seed.
pub fn noise(seed: usize, size_bytes: usize) -> Vec<u8> {
    let mut content = vec![0; size_bytes];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut content);
    content
}
