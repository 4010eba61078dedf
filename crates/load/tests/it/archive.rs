//! The archives, read by the zip crate, which checks every CRC.

use polyphemus_load::design::{Large, MARK, form, trivial};
use std::io::{Cursor, Read as _};
use zip::ZipArchive;

#[test]
fn a_trivial_design_is_a_makefile_that_tells_its_beginning() {
    let mut archive = ZipArchive::new(Cursor::new(trivial("7"))).unwrap();
    let mut makefile = String::new();
    archive
        .by_name("Makefile")
        .unwrap()
        .read_to_string(&mut makefile)
        .unwrap();
    assert!(makefile.starts_with("# 7\n"), "{makefile}");
    assert!(
        makefile.contains(&format!("\t@echo {MARK}$$(date +%s%N)")),
        "{makefile}"
    );
    assert_ne!(trivial("7"), trivial("8"));
}

#[test]
fn a_large_form_has_the_length_it_announces_and_a_whole_archive() {
    let options = [("make", "1")];
    let large = Large::new(3).unwrap();
    let mut written = Vec::new();
    large.write_form(&options, &mut written).unwrap();
    assert_eq!(written.len() as u64, large.form_bytes(&options));
    // What stands around a small archive stands around this one.
    let around = form(b"ARCHIVE", &options);
    let split = around.windows(7).position(|part| part == b"ARCHIVE").unwrap();
    let archive = &written[split..written.len() - (around.len() - split - 7)];
    assert_eq!(written[..split], around[..split]);
    let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
    assert_eq!(archive.len(), 2);
    let mut data = Vec::new();
    archive
        .by_name("data.bin")
        .unwrap()
        .read_to_end(&mut data)
        .unwrap();
    assert_eq!(data.len() as u64, large.size_bytes());
    assert_ne!(
        data[..8],
        data[1_000_000..1_000_008],
        "each million bytes is another"
    );
}
