//! What a job of the original becomes: a plan by the planner where it can make one, stages that ended as
//! the job did, and the rows of both.

use super::Found;
use super::job::Trees;
use crate::app::{App, AppError, design};
use crate::care::CareError;
use crate::store::{ImportJob, Shape};
use polyphemus_core::flow::{self, Flow};
use polyphemus_core::plan::PlannedStage;
use polyphemus_core::stage::{self, Event};
use polyphemus_core::{Cause, CauseKind, Plan, Stage, StageName, StageResult, WorkerId};

/// Who has done what came from the original.
const WORKER: &str = "original";
/// More than any cause is tried again, so that an import starts nothing.
const TRIES: u32 = 1000;

pub(super) async fn of(
    app: &App,
    found: &Found,
    flow: Flow,
    trees: Trees,
    notes: &[String],
    finished_ms: i64,
) -> Result<ImportJob, CareError> {
    let info = &found.info;
    let mut plan = plan(app, found, flow, &trees).await?;
    plan.notes.extend(notes.iter().cloned());
    let stages = stages(found, &plan, &trees, finished_ms)?;
    let title = match info.options.get("hwname") {
        Some(name) if !name.is_empty() => name,
        _ => &info.name,
    };
    let result = StageResult {
        make_conf: info.make_conf.clone(),
        ..StageResult::default()
    };
    let with_result = stages.into_iter().zip(&plan.stages).map(|(stage, planned)| {
        let result = stage.state.is_terminal().then(|| match stage.name {
            StageName::Make => result.clone(),
            _ => StageResult::default(),
        });
        (stage, Shape::of(planned), result)
    });
    Ok(ImportJob {
        id: found.id.clone(),
        title: title.chars().filter(|c| !c.is_control()).take(200).collect(),
        submitted_ms: info.started_ms,
        finished_ms,
        options: json(&info.options)?,
        flow: plan.flow,
        mode: plan.mode.clone(),
        tree: trees.source_hash,
        stages: with_result.collect(),
        plan: json(&plan)?,
        worker: WorkerId(WORKER.to_owned()),
        message: format!(
            "imported from an instance of the original, where it was `{}`",
            info.state
        ),
    })
}

/// By the planner of its toolchain; where that refuses, one that says so and is never carried out.
async fn plan(app: &App, found: &Found, flow: Flow, trees: &Trees) -> Result<Plan, CareError> {
    let options = &found.info.options;
    let mut wanted = options.clone();
    wanted
        .entry("toolchain".to_owned())
        .or_insert_with(|| flow.to_string());
    let planned = match design(app.blobs(), &trees.source).await {
        Ok(design) => flow::plan(&wanted, &design, &app.config().flow).map_err(|error| error.to_string()),
        Err(AppError::TooLarge(why)) => Err(why),
        Err(error) => return Err(error.into()),
    };
    Ok(planned.unwrap_or_else(|why| Plan {
        flow,
        mode: options.get("mode").cloned().unwrap_or_default(),
        stages: vec![PlannedStage {
            name: StageName::Make,
            needs: Vec::new(),
            steps: Vec::new(),
            time_limit_s: app.config().flow.make_time_limit_s,
            reports: Vec::new(),
            bitstream: None,
            discard: Vec::new(),
            network: false,
        }],
        decisions: Default::default(),
        notes: vec![format!("it cannot be done again here: {why}")],
        refused: Some(why),
    }))
}

/// The stages as the core makes them when they end like that.
fn stages(found: &Found, plan: &Plan, trees: &Trees, now_ms: i64) -> Result<Vec<Stage>, CareError> {
    let info = &found.info;
    let tree = || trees.result.clone().unwrap_or_else(|| trees.source_hash.clone());
    let failed = |kind, message: String| Event::Failed {
        attempt: 1,
        cause: Cause::new(kind, message),
        tree: trees.result.clone(),
    };
    let again = match &plan.refused {
        None => format!("`polyphemus retry {}` runs it", found.id),
        Some(_) => "hand its design in again to run it".to_owned(),
    };
    let mut stages: Vec<Stage> = plan
        .stages
        .iter()
        .map(|planned| Stage::new(planned.name))
        .collect();
    for stage in &mut stages {
        let end = match info.state.as_str() {
            "done" => Event::Succeeded {
                attempt: 1,
                tree: tree(),
            },
            "failed" => failed(
                CauseKind::Exit,
                "it failed in the original, and its log says how".to_owned(),
            ),
            state => failed(
                CauseKind::WorkerLost,
                format!("it was unfinished in the original when it was imported (`{state}`); {again}"),
            ),
        };
        *stage = ended(stage, end, now_ms).map_err(|error| AppError::Internal(error.into()))?;
        if info.state != "done" {
            // The later stages wait behind the one that failed.
            break;
        }
    }
    Ok(stages)
}

fn ended(stage: &Stage, end: Event, now_ms: i64) -> Result<Stage, stage::Rejected> {
    let claimed = Event::Claimed {
        worker: WorkerId(WORKER.to_owned()),
        lease_until_ms: now_ms,
    };
    let mut stage = stage::apply(stage, Event::Readied, now_ms)?;
    for _ in 0..TRIES {
        stage.tries.count(CauseKind::WorkerLost);
    }
    stage = stage::apply(&stage, claimed, now_ms)?;
    stage::apply(&stage, end, now_ms)
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, CareError> {
    Ok(serde_json::to_string(value).map_err(|error| AppError::Internal(error.into()))?)
}
