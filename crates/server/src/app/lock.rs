//! The lock on an instance: two servers on one folder would give one stage to two workers.

use super::AppError;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

/// Locked as long as this is there; a process that dies in whatever way loses it.
#[derive(Debug)]
pub(super) struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    pub(super) fn take(instance: &Path) -> Result<Self, AppError> {
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
                return Err(AppError::Conflict(format!(
                    "the instance {} is in use by another server, process {}; stop that one, or choose \
                     another folder with `--instance`",
                    instance.display(),
                    holder.trim()
                )));
            }
            Err(error) => return Err(failed("lock")(error.into())),
        }
        file.set_len(0).map_err(failed("write"))?;
        writeln!(file, "{}", std::process::id()).map_err(failed("write"))?;
        Ok(Self { _file: file })
    }
}
