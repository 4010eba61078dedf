//! Shapes: the distinct combinations of a stage's name and its needs. There are few, so all of them
//! are in memory, and a claim is one look-up for each that its worker can serve.

use super::writer::Tx;
use super::{Store, StoreError, query, unreadable};
use polyphemus_core::label::{self, Label, Need};
use polyphemus_core::plan::PlannedStage;
use polyphemus_core::stage::StageName;
use sqlx::Row as _;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The name and the sorted needs as one text.
    pub(crate) key: String,
    pub(crate) stage: StageName,
    pub(crate) needs: Vec<Need>,
}

impl Shape {
    pub(crate) fn of(stage: &PlannedStage) -> Self {
        let mut needs = stage.needs.clone();
        needs.sort_unstable();
        needs.dedup();
        let mut key = stage.name.to_string();
        for need in &needs {
            key.push(' ');
            key.push_str(&need.0);
        }
        Self {
            key,
            stage: stage.name,
            needs,
        }
    }

    /// Whether a worker with these labels can do it.
    pub(crate) fn is_met_by(&self, labels: &[Label]) -> bool {
        label::unmet(&self.needs, labels).is_empty()
    }
}

/// Those that are known to be committed.
#[derive(Debug, Default)]
pub(super) struct Shapes(RwLock<HashMap<String, Arc<Shape>>>);

impl Shapes {
    fn add(&self, shapes: impl IntoIterator<Item = Shape>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for shape in shapes {
            known.entry(shape.key.clone()).or_insert_with(|| Arc::new(shape));
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<String, Arc<Shape>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    pub(crate) fn shape_list(&self) -> Vec<Arc<Shape>> {
        self.shapes.read().values().cloned().collect()
    }

    pub(crate) fn shape(&self, key: &str) -> Option<Arc<Shape>> {
        self.shapes.read().get(key).cloned()
    }

    /// To be called once the shapes are committed.
    pub(super) fn shape_remember(&self, shapes: &[Shape]) {
        let new = shapes.iter().filter(|shape| self.shape(&shape.key).is_none());
        let new: Vec<Shape> = new.cloned().collect();
        if !new.is_empty() {
            self.shapes.add(new);
        }
    }

    pub(super) async fn shape_load(&self) -> Result<(), StoreError> {
        let rows = sqlx::query(query::SHAPE_LIST).fetch_all(&self.reads).await?;
        for row in rows {
            let (key, stage, needs): (String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let stage = StageName::parse(&stage).ok_or_else(|| unreadable("a stage's name", stage))?;
            let needs = serde_json::from_str(&needs).map_err(|error| unreadable("needs", error))?;
            self.shapes.add([Shape { key, stage, needs }]);
        }
        Ok(())
    }
}

pub(super) async fn shape_insert(tx: &mut Tx, shape: &Shape) -> Result<(), StoreError> {
    let needs = serde_json::to_string(&shape.needs).map_err(|error| unreadable("needs", error))?;
    sqlx::query(query::SHAPE_INSERT)
        .bind(&shape.key)
        .bind(shape.stage.as_str())
        .bind(needs)
        .execute(tx.connection())
        .await?;
    Ok(())
}
