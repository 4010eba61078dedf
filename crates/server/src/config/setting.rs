//! The table of all settings: what each takes, what it means, and whether it means something today.
//! Their defaults are in `polyphemus.cfg` beside this file.

use super::python::Value;
use super::values::{
    Values, boolean, bucket, bytes_or_none, command, days, extensions, filled, folder, folders, integer,
    link, one_of, path_inside, put, seconds, slots, text, texts, texts_or_text, toolchain, words,
};

/// A key of `polyphemus.cfg`.
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    /// What may stand there, in the words of a message: "is …".
    pub allowed: &'static str,
    pub meaning: &'static str,
    /// Why it changes nothing today; `None` where it works.
    pub idle: Option<&'static str>,
    /// `None` where the value is not allowed.
    pub(super) set: fn(&mut Values, &Value) -> Option<()>,
}

/// Of this name, as it is written.
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The name that was probably meant.
pub fn nearest(name: &str) -> Option<&'static str> {
    let upper = name.to_uppercase();
    let distance = |setting: &&Setting| strsim::damerau_levenshtein(setting.name, &upper);
    let near = SETTINGS.iter().min_by_key(distance)?;
    (distance(&near) <= (near.name.len() / 4).max(1)).then_some(near.name)
}

const fn works(
    name: &'static str,
    allowed: &'static str,
    meaning: &'static str,
    set: fn(&mut Values, &Value) -> Option<()>,
) -> Setting {
    Setting {
        name,
        allowed,
        meaning,
        idle: None,
        set,
    }
}

/// One that is checked and otherwise ignored.
const fn idle(
    name: &'static str,
    allowed: &'static str,
    meaning: &'static str,
    why: &'static str,
    check: fn(&mut Values, &Value) -> Option<()>,
) -> Setting {
    Setting {
        name,
        allowed,
        meaning,
        idle: Some(why),
        set: check,
    }
}

const TEXT: &str = "a text";
const FOLDER: &str = "a folder's name of letters, digits and ._-/";
const SCRIPT: &str = "a path on workers; $NAME in it is a variable of theirs";
const TEXTS: &str = "a list of texts";
const BOOLEAN: &str = "True or False";
const BYTES: &str = "a number of bytes, at least 1";
const SLOTS: &str = "an integer from 0 to 1024, or None";
const UP_TO_A_DAY: &str = "seconds, an integer from 1 to 86400";
const UP_TO_A_YEAR: &str = "seconds, an integer from 1 to 31536000";
const SANDBOXES: [&str; 3] = ["auto", "off", "required"];
const MODES: [&str; 3] = ["sw_emu", "hw_emu", "hw"];
const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;

/// Those of the server, of its worker, and of jobs, and then those of the original that are left.
#[rustfmt::skip] // One setting is one paragraph, whatever its length.
pub static SETTINGS: &[Setting] = &[
    works("LISTEN", "ADDRESS:PORT, as in '127.0.0.1:8000'", "where the server listens; port 0 takes a free one",
        |values, value| put(&mut values.listen, filled(value))),
    works("HOST_NAMES", "a list of texts, or one text", "names that a reverse proxy in front calls the server by",
        |values, value| put(&mut values.host_names, texts_or_text(value))),
    works("LEASE_SECONDS", UP_TO_A_DAY, "how long a silent worker keeps its stage before another gets it",
        |values, value| put(&mut values.lease, seconds(value, DAY))),
    works("WORKER_THREADS", "True, False or None", "whether the server starts a worker inside; None does",
        |values, value| put(&mut values.worker_inside, if *value == Value::None { Some(true) } else { boolean(value) })),
    works("PARALLELISM_MAKE", SLOTS, "builds at once; None is half of the processors",
        |values, value| put(&mut values.make_slots, slots(value))),
    works("RUN_SLOTS", SLOTS, "runs at once that need no board; None is half of the processors",
        |values, value| put(&mut values.run_slots, slots(value))),
    works("SIMULATE", "a list of texts, or one text, each NAME or NAME:COUNT", "virtual boards to offer beside the real ones",
        |values, value| put(&mut values.simulate, texts_or_text(value))),
    works("SANDBOX", "'auto', 'off' or 'required'", "whether programs of jobs run in a sandbox",
        |values, value| put(&mut values.sandbox, one_of(value, &SANDBOXES))),
    works("TOOL_FOLDERS", "a list of absolute paths", "folders beside /usr and /opt that programs of jobs may read in the sandbox: where tools are",
        |values, value| put(&mut values.tool_folders, folders(value))),
    works("NETWORK", BOOLEAN, "whether programs of jobs may reach the network",
        |values, value| put(&mut values.network, boolean(value))),
    works("DRAIN_SECONDS", "seconds, an integer from 0 to 86400", "how long running stages may go on when the worker is asked to stop",
        |values, value| put(&mut values.drain, integer(value, 0, DAY).map(std::time::Duration::from_secs))),
    works("WORKSPACE_LIMIT_BYTES", BYTES, "all files of a stage together on the worker's disk while it runs",
        |values, value| put(&mut values.workspace_limit_bytes, bytes(value))),
    works("WORKSPACE_LIMIT_FILES", "an integer from 1 to 1000000000", "files and directories of a stage while it runs",
        |values, value| put(&mut values.workspace_limit_files, integer(value, 1, 1_000_000_000))),
    works("MEMORY_LIMIT_BYTES", "a number of bytes, at least 1048576, or None", "memory of one step of a stage, where there are control groups; None is all of the machine's but a tenth, or 1 GiB",
        |values, value| put(&mut values.memory_limit_bytes, bytes_or_none(value, 1 << 20))),
    works("MIN_FREE_BYTES", "a number of bytes", "a worker whose disk has less free takes no stage",
        |values, value| put(&mut values.min_free_bytes, integer(value, 0, i64::MAX as u64))),
    works("EXECUTABLE_NAME", "a path within the design, as in 'exe'", "the program that a design's own Makefile builds",
        |values, value| put(&mut values.executable_name, path_inside(value))),
    works("COMPILE_TIMEOUT", UP_TO_A_YEAR, "how long SDSoC may take to compile the hardware function",
        |values, value| put(&mut values.compile_time_limit_s, integer(value, 1, YEAR))),
    works("SYNTHESIS_TIMEOUT", UP_TO_A_YEAR, "how long a whole build may take",
        |values, value| put(&mut values.make_time_limit_s, integer(value, 1, YEAR))),
    works("RUN_TIMEOUT", UP_TO_A_YEAR, "how long a whole run may take",
        |values, value| put(&mut values.run_time_limit_s, integer(value, 1, YEAR))),
    works("TOOLCHAIN", "a text or None", "the toolchain of jobs that name none: 'open', 'f1', 'f2', 'vitis', any other text for SDSoC; None is 'open'",
        |values, value| put(&mut values.toolchain, toolchain(value))),
    works("HLS_COMMAND_PREFIX", "a list of texts, the first of them a program: its name or absolute path", "what is put before the command of each tool",
        |values, value| put(&mut values.command_prefix, command(value))),
    works("MAKE_CONF_VARS", TEXTS, "the variables of a Makefile that are kept with the job; with none there is no dry run",
        |values, value| put(&mut values.make_conf_vars, texts(value))),
    works("DEFAULT_PLATFORM", TEXT, "the platform of SDSoC jobs that name none",
        |values, value| put(&mut values.default_platform, filled(value))),
    works("DEFAULT_F1_MODE", "'sw_emu', 'hw_emu' or 'hw'", "the mode of F1 jobs that name none",
        |values, value| put(&mut values.default_f1_mode, one_of(value, &MODES))),
    works("DEFAULT_VITIS_PLATFORM", TEXT, "the platform of Vitis jobs that name none",
        |values, value| put(&mut values.default_vitis_platform, filled(value))),
    works("S3_BUCKET", "the name of a bucket, or None", "the bucket that images of F1 and F2 are made in; without one they are not",
        |values, value| put(&mut values.s3_bucket, bucket(value))),
    works("S3_DCP", FOLDER, "the folder of the bucket for designs",
        |values, value| put(&mut values.s3_dcp, folder(value))),
    works("S3_LOG", FOLDER, "the folder of the bucket for the logs of images",
        |values, value| put(&mut values.s3_log, folder(value))),
    works("AFI_CHECK_INTERVAL", UP_TO_A_DAY, "how often it is asked whether an image is ready",
        |values, value| put(&mut values.afi_check_interval_s, integer(value, 1, DAY))),
    works("AFI_TIMEOUT", UP_TO_A_YEAR, "how long an image is waited for",
        |values, value| put(&mut values.afi_time_limit_s, integer(value, 1, YEAR))),
    works("F1_SETUP", SCRIPT, "the script that sets up SDAccel for F1, and AWS_PLATFORM",
        |values, value| put(&mut values.f1_setup, filled(value))),
    works("F2_SETUP", SCRIPT, "the script that sets up the hardware development kit of F2",
        |values, value| put(&mut values.f2_setup, filled(value))),
    works("F2_SDK_SETUP", SCRIPT, "the script that sets up the kit for runs on F2",
        |values, value| put(&mut values.f2_sdk_setup, filled(value))),
    works("VITIS_SETUP", "a list of texts, or one text", "the scripts that set up Vitis and XRT, where the worker's environment does not",
        |values, value| put(&mut values.vitis_setup, texts_or_text(value))),
    works("XRT_SETUP", "a text", "the script that sets up XRT for runs on cards; none if it is empty",
        |values, value| put(&mut values.xrt_setup, text(value))),
    works("UPLOAD_LIMIT_BYTES", BYTES, "the largest upload, packed",
        |values, value| put(&mut values.upload_limit_bytes, bytes(value))),
    works("UNPACK_LIMIT_BYTES", BYTES, "all files of an upload together, unpacked",
        |values, value| put(&mut values.unpack_limit_bytes, bytes(value))),
    works("UNPACK_FILE_LIMIT_BYTES", BYTES, "one file of an upload, unpacked; also one that a worker elsewhere sends",
        |values, value| put(&mut values.unpack_file_limit_bytes, bytes(value))),
    works("UNPACK_LIMIT_FILES", "an integer from 1 to 10000000", "files and directories of an upload",
        |values, value| put(&mut values.unpack_limit_files, integer(value, 1, 10_000_000))),
    works("LOG_LIMIT_BYTES", BYTES, "the log of one job; an attempt that goes beyond it fails",
        |values, value| put(&mut values.log_limit_bytes, bytes(value))),
    works("BLOB_GRACE_SECONDS", UP_TO_A_YEAR, "how long contents are kept that no job refers to",
        |values, value| put(&mut values.blob_grace, seconds(value, YEAR))),
    works("KEEP_JOBS_DAYS", "days, an integer from 1 to 36500, or None", "how long jobs are kept after their end; None is for ever",
        |values, value| put(&mut values.keep_jobs, days(value, 36_500))),
    works("NAME", "a text that is not empty", "the name of the site, in the title of its pages",
        |values, value| put(&mut values.site.name, filled(value))),
    works("GH_REPO", "an address as in 'https://example.org/x', or None", "the repository that pages link to",
        |values, value| put(&mut values.site.repository, link(value))),
    works("UPLOAD_EXTENSIONS", "a list of ends of names, as in ['zip']", "the archives that may be handed in, by the ends of their names",
        |values, value| put(&mut values.site.upload_extensions, extensions(value))),
    works("TEXT_EXTENSIONS", "a list of ends of names, as in ['c']", "files to show as text, beside sources and reports, which always are",
        |values, value| put(&mut values.site.text_extensions, extensions(value))),
    works("LOG_PREVIEW_LINES", "an integer from 1 to 100000", "how many lines of the log the page of a job begins with",
        |values, value| put(&mut values.site.preview_lines, integer(value, 1, 100_000).and_then(|lines| usize::try_from(lines).ok()))),
    works("IMPORTANT_WORDS", "a list of regular expressions", "lines of the log that match one, in any case, are shown apart",
        |values, value| put(&mut values.site.important_words, words(value))),

    idle("POLL_MODE", BOOLEAN, "whether workers looked for jobs every two seconds", "workers are told of jobs at once, wherever they are",
        |_, value| boolean(value).map(drop)),
    idle("CONFIG_OPTIONS", "a list or dict", "the options that jobs might have", "the toolchain of a job tells its options",
        |_, value| matches!(value, Value::List(_) | Value::Tuple(_) | Value::Dict(_)).then_some(())),
];

fn bytes(value: &Value) -> Option<u64> {
    integer(value, 1, i64::MAX as u64)
}
