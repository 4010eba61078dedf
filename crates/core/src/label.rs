//! What a stage needs and what a worker offers: `tool:yosys`, `tool:vivado=2023.2`,
//! `fpga:ice40-hx8k`, `licence:vivado`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Something a worker offers: `KIND:NAME` or `KIND:NAME=VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Label(pub String);

/// Something a stage needs, in the same words. Without a version every version will do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Need(pub String);

impl Label {
    pub fn tool(name: &str, version: Option<&str>) -> Self {
        match version {
            Some(version) => Self(format!("tool:{name}={version}")),
            None => Self(format!("tool:{name}")),
        }
    }

    pub fn fpga(board: &str) -> Self {
        Self(format!("fpga:{board}"))
    }
}

impl Need {
    pub fn tool(name: &str) -> Self {
        Self(format!("tool:{name}"))
    }

    pub fn fpga(board: &str) -> Self {
        Self(format!("fpga:{board}"))
    }

    pub fn is_met_by(&self, label: &Label) -> bool {
        label.0 == self.0
            || (!self.0.contains('=') && label.0.split_once('=').is_some_and(|(name, _)| name == self.0))
    }
}

/// The needs that none of the labels meets, in the order of the needs.
pub fn unmet<'a>(needs: &'a [Need], labels: &[Label]) -> Vec<&'a Need> {
    needs
        .iter()
        .filter(|need| !labels.iter().any(|label| need.is_met_by(label)))
        .collect()
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_without_a_version_is_met_by_every_version() {
        let labels = [Label::tool("yosys", Some("0.23")), Label::fpga("ice40-hx8k")];
        let met = |need: &str| unmet(&[Need(need.into())], &labels).is_empty();
        assert!(met("tool:yosys"));
        assert!(met("tool:yosys=0.23"));
        assert!(met("fpga:ice40-hx8k"));
        assert!(!met("tool:yosys=0.70"));
        assert!(!met("tool:yos"));
        assert!(!met("fpga:ice40"));
    }
}
