//! The open flow.

use super::{FlowSettings, JobOptions, PlanError};
use crate::design::Design;
use crate::plan::Plan;

pub fn plan(_options: &JobOptions, _design: &Design, _settings: &FlowSettings) -> Result<Plan, PlanError> {
    Err(PlanError::Missing {
        what: "plan".into(),
        remedy: "in the making".into(),
    })
}
