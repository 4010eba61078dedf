//! Makes bitstreams with the real tools and carries out recipes, as the worker does, without its sandbox.
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use polyphemus_device::simulate::{Board, Recipe, SimulateError, Step};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Starts a tool; a missing one fails the test by its name.
pub fn spawn(command: &mut Command) -> Child {
    let name = command.get_program().to_owned();
    match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{name:?} cannot be started ({error}); install it, this test needs it"),
    }
}

pub fn run(folder: &Path, argv: &[&str]) {
    let log = folder.join("log");
    let mut command = Command::new(argv[0]);
    command.args(&argv[1..]).current_dir(folder).stdin(Stdio::null());
    command
        .stdout(File::create(&log).unwrap())
        .stderr(File::options().append(true).open(&log).unwrap());
    let status = spawn(&mut command).wait().unwrap();
    assert!(
        status.success(),
        "{argv:?} ended with {status}:\n{}",
        fs::read_to_string(log).unwrap()
    );
}

/// `design.bin` in `folder`, from one Verilog file.
pub fn bitstream(folder: &Path, board: &Board, sources: &[PathBuf], top: &str, settings: &str, pcf: &Path) {
    let sources: Vec<_> = sources.iter().map(|path| path.display().to_string()).collect();
    let dsp = if board.device == "up5k" { "-dsp" } else { "" };
    let script = format!(
        "read_verilog -sv {}; {settings} synth_ice40 {dsp} -top {top} -json design.json",
        sources.join(" ")
    );
    run(folder, &["yosys", "-q", "-p", &script]);
    let device = format!("--{}", board.device);
    let place = [
        "nextpnr-ice40",
        "-q",
        &device,
        "--package",
        board.package,
        "--pcf",
        pcf.to_str().unwrap(),
    ];
    let files = [
        "--freq",
        "12",
        "--json",
        "design.json",
        "--asc",
        "design.asc",
        "--pcf-allow-unconstrained",
    ];
    run(folder, &[&place[..], &files[..]].concat());
    run(folder, &["icepack", "design.asc", "design.bin"]);
}

/// Carries out a recipe in `folder` and gives its product.
pub fn carry_out(recipe: &Recipe, folder: &Path) -> Result<PathBuf, SimulateError> {
    let write = |path: &Path, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    recipe.files.iter().for_each(|file| write(&file.path, &file.text));
    for step in &recipe.steps {
        match step {
            Step::Together(commands) => together(commands, folder),
            Step::Transform { input, transform } => {
                let text = fs::read_to_string(folder.join(input)).unwrap();
                transform
                    .apply(&text)?
                    .iter()
                    .for_each(|file| write(&file.path, &file.text));
            }
        }
    }
    Ok(folder.join(&recipe.product))
}

fn together(commands: &[polyphemus_device::simulate::Command], folder: &Path) {
    let begin = Instant::now();
    let mut children = Vec::new();
    for (index, step) in commands.iter().enumerate() {
        let log = folder.join(format!("log.{index}"));
        let mut command = Command::new(&step.argv[0]);
        command
            .args(&step.argv[1..])
            .current_dir(folder)
            .stdin(Stdio::null());
        command.envs(step.env.iter().map(|(name, value)| (name, value)));
        let out = step
            .stdout
            .as_ref()
            .map_or(folder.join(format!("out.{index}")), |path| folder.join(path));
        command
            .stdout(File::create(out).unwrap())
            .stderr(File::create(&log).unwrap());
        children.push((spawn(&mut command), &step.argv, log));
    }
    for (mut child, argv, log) in children {
        let status = child.wait().unwrap();
        assert!(
            status.success(),
            "{argv:?} ended with {status}:\n{}",
            fs::read_to_string(log).unwrap()
        );
    }
    eprintln!("{:6.2} s  {}", begin.elapsed().as_secs_f64(), commands[0].title);
}
