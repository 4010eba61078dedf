//! Where settings come from: the environment, the file of the instance, and the file that is
//! compiled in, in this order. A wrong one is refused, never ignored.

use super::error::{Origin, SettingsError};
use super::python::{self, Assignment, LARGEST_BYTES, Value};
use super::setting::{SETTINGS, Setting, nearest, setting};
use super::values::Values;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// The file in the instance directory.
pub const FILE_NAME: &str = "polyphemus.cfg";
/// The defaults, with what each means: an example to copy from.
pub const DEFAULTS: &str = include_str!("polyphemus.cfg");

const PREFIX: &str = "POLYPHEMUS_";

/// All settings with what they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub values: Values,
    set: BTreeMap<&'static str, (Value, Origin)>,
    /// What looks like a mistake but may be none.
    suspects: Vec<String>,
}

/// One setting as it is.
#[derive(Debug, Clone, Copy)]
pub struct Effective<'a> {
    pub setting: &'static Setting,
    pub value: &'a Value,
    pub origin: &'a Origin,
}

impl Settings {
    /// The settings of an instance; one without a file, or that does not exist yet, has the defaults.
    ///
    /// # Errors
    /// The first wrong setting, with its place and what is allowed there.
    pub fn load(
        instance: &Path,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingsError> {
        let path = instance.join(FILE_NAME);
        let mut settings = Self::defaults()?;
        if let Some(text) = read(&path)? {
            settings.take_file(&path, &text)?;
        }
        settings.take_environment(environment)?;
        Ok(settings)
    }

    /// The settings of a program that has no instance.
    pub fn without_instance(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::defaults()?;
        settings.take_environment(environment)?;
        Ok(settings)
    }

    /// What the compiled-in file says.
    fn defaults() -> Result<Self, SettingsError> {
        let mut settings = Self {
            values: Values::default(),
            set: BTreeMap::new(),
            suspects: Vec::new(),
        };
        let path = Path::new("(compiled in) polyphemus.cfg");
        for Assignment { name, value, line } in parsed(path, DEFAULTS)? {
            let place = Origin::File {
                path: path.to_owned(),
                line,
            };
            settings.take(&name, value, place)?;
        }
        for (_, origin) in settings.set.values_mut() {
            *origin = Origin::Default;
        }
        Ok(settings)
    }

    /// Every setting, in the order of the table.
    pub fn effective(&self) -> impl Iterator<Item = Effective<'_>> {
        SETTINGS.iter().filter_map(|setting| {
            let (value, origin) = self.set.get(setting.name)?;
            Some(Effective {
                setting,
                value,
                origin,
            })
        })
    }

    /// Where the setting of this name was set.
    pub fn origin(&self, name: &str) -> &Origin {
        self.set.get(name).map_or(&Origin::Default, |(_, origin)| origin)
    }

    /// What an operator should know: settings that somebody made and that change nothing, and what
    /// looks like a mistake.
    pub fn notes(&self) -> Vec<String> {
        let idle = self.effective().filter_map(|Effective { setting, origin, .. }| {
            let why = setting.idle.filter(|_| *origin != Origin::Default)?;
            Some(format!("{origin}: {} changes nothing: {why}", setting.name))
        });
        idle.chain(self.suspects.iter().cloned()).collect()
    }

    fn take_file(&mut self, path: &Path, text: &str) -> Result<(), SettingsError> {
        let mut lines = BTreeMap::new();
        for Assignment { name, value, line } in parsed(path, text)? {
            if let Some(earlier) = lines.insert(name.clone(), line) {
                let path = path.display();
                self.suspects.push(format!(
                    "{path}, line {line}: {name} is set a second time; what line {earlier} says does not count"
                ));
            }
            let origin = Origin::File {
                path: path.to_owned(),
                line,
            };
            self.take(&name, value, origin)?;
        }
        Ok(())
    }

    fn take_environment(
        &mut self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(), SettingsError> {
        for (variable, raw) in environment {
            let Some(name) = variable.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
                continue;
            };
            let variable = format!("{PREFIX}{name}");
            if setting(name).is_none() {
                // Others may give us variables that begin so: Kubernetes does for each service.
                if let Some(near) = nearest(name) {
                    self.suspects.push(format!(
                        "the variable {variable} is no setting and changes nothing; did you mean {PREFIX}{near}?"
                    ));
                }
                continue;
            }
            let origin = Origin::Environment { variable };
            self.take_variable(name, &raw, origin)?;
        }
        Ok(())
    }

    /// What is no literal, or not the right one, may be a text: a title may be `1984`.
    fn take_variable(&mut self, name: &str, raw: &OsStr, origin: Origin) -> Result<(), SettingsError> {
        let Some(text) = raw.to_str() else {
            return Err(SettingsError::VariableNotText { origin });
        };
        let as_text = |settings: &mut Self| settings.take(name, Value::Text(text.to_owned()), origin.clone());
        match python::value(text) {
            Ok(value) => self
                .take(name, value, origin.clone())
                .or_else(|error| as_text(self).map_err(|_| error)),
            Err(_) => as_text(self),
        }
    }

    fn take(&mut self, name: &str, value: Value, origin: Origin) -> Result<(), SettingsError> {
        let Some(setting) = setting(name) else {
            return Err(SettingsError::UnknownKey {
                origin,
                name: name.to_owned(),
                nearest: nearest(name),
            });
        };
        if (setting.set)(&mut self.values, &value).is_none() {
            return Err(SettingsError::WrongValue {
                origin,
                name: setting.name,
                value: shortened(&value.to_string()),
                allowed: setting.allowed,
            });
        }
        self.set.insert(setting.name, (value, origin));
        Ok(())
    }
}

fn parsed(path: &Path, text: &str) -> Result<Vec<Assignment>, SettingsError> {
    python::assignments(text).map_err(|error| SettingsError::Syntax {
        path: path.to_owned(),
        error,
    })
}

/// The file's text, `None` where there is no file.
fn read(path: &Path) -> Result<Option<String>, SettingsError> {
    let unreadable = |source| SettingsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // Looked at first: to open a named pipe would wait for whoever writes to it.
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(unreadable(io::Error::other("it is no regular file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut raw = Vec::new();
    // One byte more, so that a file that is too large is told as such.
    file.take(LARGEST_BYTES as u64 + 1)
        .read_to_end(&mut raw)
        .map_err(unreadable)?;
    let text = String::from_utf8(raw).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error
            .as_bytes()
            .iter()
            .take(good)
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        SettingsError::NotText {
            path: path.to_owned(),
            line,
        }
    })?;
    Ok(Some(text))
}

/// At most so much of a value is repeated in a message.
fn shortened(value: &str) -> String {
    const SHOWN: usize = 80;
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
