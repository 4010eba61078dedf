//! The tools that stages call, and the sandbox that they are called in, as a worker finds them.

use super::Line;
use polyphemus_worker::sandbox::Sandbox;
use polyphemus_worker::workspace::WorkerFolder;
use polyphemus_worker::{Config, Sandbox as Wish, tools};
use std::path::Path;

pub(super) async fn lines(folder: &Path, required: bool) -> Vec<Line> {
    // Its own, on the filesystem of the workspaces where that is to be had.
    let place = tempfile::Builder::new()
        .prefix("polyphemus-doctor-")
        .tempdir_in(if folder.is_dir() {
            folder
        } else {
            Path::new("/tmp")
        });
    let sandbox = match &place {
        Ok(place) => sandbox(place.path()).await,
        Err(error) => Err(format!("no folder can be made: {error}")),
    };
    let sandbox = match sandbox {
        Ok(sandbox) => sandbox,
        Err(why) => {
            return vec![Line::fail(
                "sandbox",
                why,
                "free space, or correct the permissions of that folder",
            )];
        }
    };
    let mut lines = vec![sandbox_line(&sandbox, required)];
    for found in tools::survey(&sandbox).await {
        lines.push(match (&found.here, &found.version) {
            (true, Some(version)) => Line::ok("tool", format!("{} {version}", found.name)),
            (true, None) => Line::ok("tool", format!("{} is here", found.name)),
            (false, _) => Line::warn(
                "tool",
                format!(
                    "{} is not here; stages that need it wait for another worker",
                    found.name
                ),
                match found.package {
                    "" => "install it from its vendor, and have it on the PATH of the worker".to_owned(),
                    package => format!("Debian: apt-get install {package}"),
                },
            ),
        });
    }
    lines
}

async fn sandbox(folder: &Path) -> Result<Sandbox, String> {
    let config = Config::new("http://127.0.0.1", "doctor", folder);
    debug_assert_eq!(config.sandbox, Wish::Auto);
    let worker = WorkerFolder::open(folder, "doctor").map_err(|error| error.to_string())?;
    Sandbox::new(&config, &worker)
        .await
        .map_err(|error| error.to_string())
}

fn sandbox_line(sandbox: &Sandbox, required: bool) -> Line {
    let Some(why) = sandbox.reason_without() else {
        return Line::ok(
            "sandbox",
            "steps see only their workspace and the system's programs (bubblewrap)",
        );
    };
    let what = format!("steps run without one, so that jobs can read what this user can: {why}");
    let remedy = if why.contains("not installed") {
        "Debian: apt-get install bubblewrap".to_owned()
    } else {
        user_namespaces()
    };
    match required {
        true => Line::fail("sandbox", what, remedy),
        false => Line::warn("sandbox", what, remedy),
    }
}

/// What forbids namespaces to users here, as far as the kernel tells.
fn user_namespaces() -> String {
    let says = |name: &str, value: &str| {
        std::fs::read_to_string(Path::new("/proc/sys").join(name)).is_ok_and(|text| text.trim() == value)
    };
    if says("kernel/unprivileged_userns_clone", "0") {
        return "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1".to_owned();
    }
    if says("user/max_user_namespaces", "0") {
        return "allow user namespaces: sysctl user.max_user_namespaces=10000".to_owned();
    }
    if says("kernel/apparmor_restrict_unprivileged_userns", "1") {
        return "let AppArmor allow them to bwrap: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a \
                profile for /usr/bin/bwrap with `userns,`"
            .to_owned();
    }
    "in a container, allow it to make namespaces (Docker: --security-opt seccomp=unconfined and systempaths=unconfined)"
        .to_owned()
}
