//! The lock on an instance: two servers on one folder would give one stage to two workers.

use super::AppError;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

/// Locked as long as this is there; a process that dies in whatever way loses it.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    pub(crate) fn take(instance: &Path) -> Result<Self, AppError> {
        Self::try_take(instance)?.map_err(|holder| {
            AppError::Conflict(format!(
                "the instance {} is in use by another server, process {holder}; stop that one, or choose \
                 another folder with `--instance`",
                instance.display(),
            ))
        })
    }

    /// The lock, or the process that has it.
    pub(crate) fn try_take(instance: &Path) -> Result<Result<Self, String>, AppError> {
        let path = instance.join("lock");
        let failed = |doing: &'static str| {
            let path = path.clone();
            move |error| AppError::io(doing, &path, error)
        };
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("open"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(failed("read"))?;
                return Ok(Err(holder.trim().to_owned()));
            }
            Err(error) => return Err(failed("lock")(error.into())),
        }
        file.set_len(0).map_err(failed("write"))?;
        writeln!(file, "{}", std::process::id()).map_err(failed("write"))?;
        Ok(Ok(Self { _file: file }))
    }
}
