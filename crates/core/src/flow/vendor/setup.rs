//! Programs under the environment that a vendor's script sets up. bash reads it, since such scripts are
//! written for it, whatever /bin/sh is.

use crate::plan::Run;

/// The exit code of a set-up that failed.
pub(in crate::flow) const NOT_SET_UP: i32 = 96;

/// The scripts to read before a program, and the variable that they must have set.
#[derive(Debug, Clone, Copy)]
pub(in crate::flow) struct SetUp<'a> {
    /// Paths on the worker, in which `$NAME` stands for its variables.
    pub(in crate::flow) scripts: &'a [String],
    pub(in crate::flow) sets: Option<&'a str>,
}

impl SetUp<'_> {
    /// A step that runs a vendor's tool.
    pub(in crate::flow) fn tool(
        self,
        title: &str,
        then: &str,
        command: impl IntoIterator<Item = String>,
    ) -> Run {
        let mut run = super::tool(title, self.command(then, command));
        run.failures.insert(0, super::host());
        run
    }

    /// bash carries out `then` with the words of `command` as `"$@"` once everything is set up.
    pub(in crate::flow) fn command(
        self,
        then: &str,
        command: impl IntoIterator<Item = String>,
    ) -> Vec<String> {
        let script = self.script(then);
        let shell = ["bash", "-c", &script, "bash"].map(str::to_owned);
        shell.into_iter().chain(command).collect()
    }

    /// What the scripts print is left out, as the original did. They are read in a function, for else they
    /// would take the words of the command for their own.
    pub(in crate::flow) fn script(self, then: &str) -> String {
        if self.scripts.is_empty() {
            return then.to_owned();
        }
        let mut script =
            "here=$PWD; up() { cd \"${s%/*}\" && source \"$s\" >/dev/null; cd \"$here\"; }; ".to_owned();
        for path in self.scripts {
            script.push_str(&format!(
                "s=\"{}\"; [ -f \"$s\" ] || {{ echo \"polyphemus: this worker has no set-up script $s\" >&2; \
                 exit {NOT_SET_UP}; }}; up; ",
                path.replace('\\', "\\\\")
                    .replace('"', "\\\"")
                    .replace('`', "\\`")
            ));
        }
        if let Some(name) = self.sets {
            script.push_str(&format!(
                "[ -n \"${name}\" ] || {{ echo \"polyphemus: $s set no {name}\" >&2; exit {NOT_SET_UP}; }}; "
            ));
        }
        script + then
    }
}
