//! Which files and variables are taken, which are refused and how, and who goes before whom.

use super::{DEFAULTS, FILE_NAME, Settings};
use crate::Config;
use crate::config::python::{Value, assignments};
use crate::config::setting::SETTINGS;
use crate::config::{Origin, SettingsError};
use polyphemus_core::flow::Flow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn loaded(file: &[u8], environment: &[(&str, &str)]) -> Result<Settings, String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(FILE_NAME), file).expect("a file");
    Settings::load(folder.path(), variables(environment)).map_err(|error| {
        error
            .to_string()
            .replace(folder.path().to_str().expect("a plain name"), "DIR")
    })
}

fn refused(file: &str) -> String {
    loaded(file.as_bytes(), &[]).expect_err("it is wrong")
}

fn refused_variable(name: &str, value: &str) -> String {
    loaded(b"", &[(name, value)]).expect_err("it is wrong")
}

#[test]
fn the_compiled_in_file_says_what_a_server_does_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings::load(&folder.path().join("not-there-yet"), []).expect("defaults");
    let expected = Config::default();
    assert_eq!(
        format!("{:?}", settings.values.config(expected.instance.clone())),
        format!("{expected:?}")
    );
    assert!(settings.effective().all(|one| *one.origin == Origin::Default));
    assert_eq!(settings.notes(), Vec::<String>::new());
}

#[test]
fn the_compiled_in_file_has_every_setting_once() {
    let mut in_file: Vec<String> = assignments(DEFAULTS)
        .expect("it is right")
        .into_iter()
        .map(|a| a.name)
        .collect();
    let mut in_table: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    in_file.sort();
    in_table.sort();
    assert_eq!(in_file, in_table);
}

#[test]
fn the_page_for_operators_names_every_setting_with_its_default() {
    let page = include_str!("../../../../docs/settings.md");
    let defaults = Settings::without_instance([]).expect("defaults");
    for one in defaults.effective() {
        let (name, default) = (one.setting.name, one.value);
        let row = format!("| `{name}` | `{default}` | ");
        let found = page.lines().find(|line| line.starts_with(&row));
        let found = found.unwrap_or_else(|| panic!("docs/settings.md has no row that begins with {row}"));
        assert_eq!(
            found.starts_with(&row) && found.contains("no effect"),
            one.setting.idle.is_some(),
            "{found}"
        );
    }
}

#[test]
fn a_variable_goes_before_the_file_and_the_file_before_the_default() {
    let file = b"LEASE_SECONDS = 5\nRUN_TIMEOUT = 7\n";
    let settings = loaded(
        file,
        &[("POLYPHEMUS_LEASE_SECONDS", "9"), ("OTHER_RUN_TIMEOUT", "8")],
    )
    .expect("it is right");
    assert_eq!(settings.values.lease, Duration::from_secs(9));
    assert_eq!(settings.values.run_time_limit_s, 7);
    assert_eq!(settings.values.make_time_limit_s, 20_000);
    let origin = |name| settings.origin(name).to_string();
    assert_eq!(origin("LEASE_SECONDS"), "the variable POLYPHEMUS_LEASE_SECONDS");
    assert!(origin("RUN_TIMEOUT").ends_with("/polyphemus.cfg, line 2"));
    assert_eq!(origin("SYNTHESIS_TIMEOUT"), "default");
}

#[test]
fn a_variable_is_a_literal_or_else_a_text() {
    let settings = loaded(
        b"",
        &[
            ("POLYPHEMUS_NAME", "1984"),
            ("POLYPHEMUS_TOOLCHAIN", "'open'"),
            ("POLYPHEMUS_SIMULATE", "ice40-hx8k:2"),
            ("POLYPHEMUS_HOST_NAMES", "['a', 'b']"),
            ("POLYPHEMUS_LISTEN", "127.0.0.1:0"),
            ("POLYPHEMUS_WORKER_THREADS", "False"),
        ],
    )
    .expect("it is right");
    let value = |name| {
        settings
            .effective()
            .find(|one| one.setting.name == name)
            .map(|one| one.value.clone())
    };
    assert_eq!(value("NAME"), Some(Value::Text("1984".into())));
    assert_eq!(value("TOOLCHAIN"), Some(Value::Text("open".into())));
    assert_eq!(settings.values.simulate, ["ice40-hx8k:2"]);
    assert_eq!(settings.values.host_names, ["a", "b"]);
    assert_eq!(settings.values.listen, "127.0.0.1:0");
    assert!(!settings.values.worker_inside);
}

#[test]
fn the_keys_of_the_originals_readme_are_taken() {
    let file =
        b"TOOLCHAIN = \"f1\"\nPARALLELISM_MAKE = 4\nHLS_COMMAND_PREFIX = [\"sshrc\", \"centos@host\"]\n";
    let settings = loaded(file, &[]).expect("it is right");
    assert_eq!(settings.values.make_slots, Some(4));
    let flow = settings.values.config("instance".into()).flow;
    assert_eq!(flow.toolchain, Flow::F1);
    assert_eq!(flow.command_prefix, ["sshrc", "centos@host"]);
    assert_eq!(settings.notes(), Vec::<String>::new());
}

#[test]
fn a_file_of_all_keys_of_the_original_is_taken_with_its_own_defaults() {
    let file = "NAME = 'Buildbot'\nGH_REPO = 'https://example.org/x'\nUPLOAD_EXTENSIONS = ['zip']\nWORKER_THREADS = None\n\
                POLL_MODE = True\nPARALLELISM_MAKE = 1\nTEXT_EXTENSIONS = ['c']\nCONFIG_OPTIONS = ['make', 'mode']\n\
                EXECUTABLE_NAME = 'exe'\nLOG_PREVIEW_LINES = 32\nCOMPILE_TIMEOUT = 120\nSYNTHESIS_TIMEOUT = 20000\n\
                TOOLCHAIN = 'f1'\nDEFAULT_PLATFORM = 'zed'\nDEFAULT_F1_MODE = 'sw_emu'\nS3_BUCKET = 'b'\nS3_DCP = 'DCPs'\n\
                S3_LOG = 'SDAccel_log'\nAFI_CHECK_INTERVAL = 300\nIMPORTANT_WORDS = ['warning']\nMAKE_CONF_VARS = ('device',)\n\
                HLS_COMMAND_PREFIX = ['sh']\n";
    let settings = loaded(file.as_bytes(), &[]).expect("it is right");
    assert_eq!(settings.values.make_slots, Some(1));
    insta::assert_snapshot!(
        settings
            .notes()
            .iter()
            .map(|note| {
                note.split_once("polyphemus.cfg, ")
                    .map_or("", |(_, rest)| rest)
                    .to_owned()
            })
            .collect::<Vec<_>>()
            .join("\n")
    );
}

#[test]
fn a_wrong_file_is_refused_with_its_line_and_what_is_allowed() {
    let cases = [
        "\nLEASE_SECOND = 3",
        "toolchain = 'f1'",
        "WORKERTHREADS = False",
        "SECRET_KEY = 'do not show me'",
        "LEASE_SECONDS = 0",
        "LEASE_SECONDS = '30'",
        "LEASE_SECONDS = 1.5",
        "SYNTHESIS_TIMEOUT = None",
        "PARALLELISM_MAKE = -1",
        "SANDBOX = 'always'",
        "NETWORK = 1",
        "WORKER_THREADS = 4",
        "EXECUTABLE_NAME = '../exe'",
        "EXECUTABLE_NAME = ''",
        "EXECUTABLE_NAME = '-x'",
        "HLS_COMMAND_PREFIX = 'sh -c'",
        "HLS_COMMAND_PREFIX = [' ']",
        "TEXT_EXTENSIONS = ['c', 1]",
        "SIMULATE = {'a': 1}",
        "DEFAULT_F1_MODE = 'hardware'",
        "IMPORTANT_WORDS = ['(']",
        "IMPORTANT_WORDS = 'error'",
        "GH_REPO = 'javascript:alert(1)'",
        "UPLOAD_EXTENSIONS = ['']",
        "NAME = ''",
        "UPLOAD_LIMIT_BYTES = 0",
        "LISTEN = None",
        "AFI_CHECK_INTERVAL = 1e9",
        "import os",
        "NAME = 'a'\nRUN_TIMEOUT = 60 * 60",
    ];
    let all: Vec<String> = cases
        .iter()
        .map(|file| format!("{}\n  {}", file.escape_debug(), refused(file)))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_file_that_is_no_text_is_refused_with_its_line() {
    assert_eq!(
        loaded(b"NAME = 'a'\nGH_REPO = '\xff'\n", &[]).expect_err("it is wrong"),
        "DIR/polyphemus.cfg, line 2: this is not UTF-8; save the file in this encoding"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join(FILE_NAME)).expect("a folder in its place");
    let error = Settings::load(folder.path(), []).expect_err("it is no file");
    assert!(matches!(error, SettingsError::Unreadable { .. }), "{error}");
}

#[test]
fn a_wrong_variable_is_refused_by_its_name() {
    insta::assert_snapshot!(refused_variable("POLYPHEMUS_LEASE_SECONDS", "0"), @"the variable POLYPHEMUS_LEASE_SECONDS: LEASE_SECONDS cannot be 0: it is seconds, an integer from 1 to 86400");
    insta::assert_snapshot!(refused_variable("POLYPHEMUS_NETWORK", "yes"), @"the variable POLYPHEMUS_NETWORK: NETWORK cannot be 'yes': it is True or False");
    let raw = (OsString::from("POLYPHEMUS_NAME"), OsString::from_vec(vec![0xff]));
    let error = Settings::without_instance([raw]).expect_err("it is wrong");
    insta::assert_snapshot!(error, @"the variable POLYPHEMUS_NAME is not UTF-8; set it to a text in this encoding");
}

#[test]
fn what_looks_like_a_mistake_is_noted() {
    let variables = [
        ("POLYPHEMUS_LISTNE", "127.0.0.1:0"),
        // Of others, and of ours that are no settings.
        ("POLYPHEMUS_SERVICE_HOST", "10.0.0.1"),
        ("POLYPHEMUS_PORT", "tcp://10.0.0.1:80"),
        ("POLYPHEMUS_DIR", "instance"),
        ("POLYPHEMUS_TOKEN", "secret"),
        ("POLYPHEMUS_LOG", "debug"),
    ];
    let settings = loaded(b"RUN_TIMEOUT = 1\nRUN_TIMEOUT = 2\n", &variables).expect("it is right");
    assert_eq!(settings.values.run_time_limit_s, 2);
    let notes = settings.notes();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].ends_with("line 2: RUN_TIMEOUT is set a second time; what line 1 says does not count"),
        "{notes:?}"
    );
    assert_eq!(
        notes[1],
        "the variable POLYPHEMUS_LISTNE is no setting and changes nothing; did you mean POLYPHEMUS_LISTEN?"
    );
}
