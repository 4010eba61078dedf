//! The database by its own check, and the numbers in it that are kept instead of being counted.

use super::{Check, Finding, Phase};
use crate::care::CareError;
use crate::store::RepairCounts;

impl Check<'_> {
    pub(super) async fn database(&mut self) -> Result<(), CareError> {
        self.progress(Phase::Database, 0);
        for line in self.instance.store.audit_integrity().await? {
            self.found(Finding {
                concerns: "the database".to_owned(),
                what: format!("polyphemus.db is damaged: {line}"),
                remedy: "restore the instance from a backup (`polyphemus restore`)".to_owned(),
                repaired: None,
            });
        }
        Ok(())
    }

    /// After the jobs, whose states may have been repaired.
    pub(super) async fn counts(&mut self) -> Result<(), CareError> {
        let wrong = self.instance.store.audit_counts().await?;
        if wrong.is_empty() {
            return Ok(());
        }
        if self.repair {
            self.instance.store.write(RepairCounts).await?;
        }
        for count in wrong {
            self.found(Finding {
                concerns: "the database".to_owned(),
                what: format!(
                    "{} is kept as {} and is {}",
                    count.what, count.kept, count.counted
                ),
                remedy: "stop the server and run `polyphemus fsck --repair`".to_owned(),
                repaired: self.repair.then(|| "it was counted anew".to_owned()),
            });
        }
        Ok(())
    }
}
