//! Plans for a design that lies in one folder of the workspace: its author named files as they are
//! seen from there.

use crate::plan::{Plan, Poll, Step};

/// The plan carried out in a folder of the workspace.
pub(super) fn moved(mut plan: Plan, folder: &str) -> Plan {
    let prefix = |path: &mut String| *path = format!("{folder}/{path}");
    for stage in &mut plan.stages {
        stage
            .reports
            .iter_mut()
            .for_each(|report| prefix(&mut report.path));
        stage.bitstream.iter_mut().for_each(prefix);
        stage.discard.iter_mut().for_each(prefix);
        for step in &mut stage.steps {
            match step {
                Step::Run(run) | Step::Poll(Poll { ask: run, .. }) => {
                    run.folder = folder.to_owned();
                    run.makes.iter_mut().for_each(prefix);
                    run.stdout_to.iter_mut().for_each(prefix);
                }
                Step::Load(load) => {
                    load.bitstream.iter_mut().for_each(prefix);
                    prefix(&mut load.constraints);
                }
            }
        }
    }
    plan
}
