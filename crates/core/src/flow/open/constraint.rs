//! The constraints file: which one belongs to the top module, and what its pins tell of the part.

use super::file;
use super::option::Options;
use super::part::Family;
use crate::design::Design;
use crate::flow::PlanError;
use std::collections::BTreeSet;

/// A `.pcf` or `.lpf` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Constraints {
    pub(super) path: String,
    /// The ports it places, without their indices.
    names: BTreeSet<String>,
    pub(super) pins: Option<PinNames>,
}

/// How the pins are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PinNames {
    /// `21`, as in packages with legs.
    Numbers(Vec<u32>),
    /// `J3`, as in packages with balls.
    Balls,
}

/// Every constraints file of the family in the design.
pub(super) fn all(design: &Design, family: Family) -> Vec<Constraints> {
    let ending = ending(family);
    design
        .paths()
        .filter(|path| path.ends_with(ending))
        .map(|path| read(design, path, family))
        .collect()
}

/// The constraints of the design: as the option says, or the only one, or the one that names the
/// ports of the top module best. `None` where there is no file at all.
pub(super) fn choose(
    options: &Options,
    design: &Design,
    family: Family,
    top: &str,
    ports: &BTreeSet<String>,
) -> Result<Option<Constraints>, PlanError> {
    if let Some(given) = &options.pcf {
        let path = file::named(design, "pcf", given, |path| path.ends_with(ending(family)))?;
        return Ok(Some(read(design, &path, family)));
    }
    let mut found = all(design, family);
    if found.len() < 2 {
        return Ok(found.pop());
    }
    let rank = |one: &Constraints| (one.fit(ports), file::stem(&one.path) == top);
    let best = found.iter().map(rank).max();
    let (mut fitting, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|one| Some(rank(one)) == best && rank(one) > (0, false));
    match (fitting.pop(), fitting.is_empty()) {
        (Some(only), true) => Ok(Some(only)),
        (last, _) => Err(PlanError::Ambiguous {
            what: "constraints files".into(),
            candidates: match last {
                Some(last) => fitting.into_iter().chain([last]).map(|one| one.path).collect(),
                None => others.into_iter().map(|one| one.path).collect(),
            },
            option: "pcf",
        }),
    }
}

impl Constraints {
    /// How many of the ports it places, less what it places beyond them.
    pub(super) fn fit(&self, ports: &BTreeSet<String>) -> isize {
        let placed = self.names.intersection(ports).count() as isize;
        let beyond = self.names.difference(ports).count() as isize;
        placed - beyond
    }
}

pub(super) fn ending(family: Family) -> &'static str {
    match family {
        Family::Ice40 => ".pcf",
        Family::Ecp5 => ".lpf",
    }
}

fn read(design: &Design, path: &str, family: Family) -> Constraints {
    let text = design.text(path).unwrap_or_default();
    let placed: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| match family {
            Family::Ice40 => set_io(line),
            Family::Ecp5 => locate(line),
        })
        .collect();
    let name = |port: &str| port.split('[').next().unwrap_or(port).to_owned();
    Constraints {
        path: path.to_owned(),
        names: placed.iter().map(|(port, _)| name(port)).collect(),
        pins: pin_names(placed.iter().map(|&(_, pin)| pin)),
    }
}

/// The port and the pin of `set_io -nowarn -pullup yes PORT PIN # comment`.
fn set_io(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split('#').next()?.split_whitespace();
    if words.next()? != "set_io" {
        return None;
    }
    let mut word = words.next()?;
    while word.starts_with('-') {
        if word != "-nowarn" {
            words.next()?;
        }
        word = words.next()?;
    }
    Some((word, words.next()?))
}

/// The port and the site of `LOCATE COMP "PORT" SITE "PIN";`.
fn locate(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    let mut keyword = |expected: &str| words.next().filter(|word| word.eq_ignore_ascii_case(expected));
    keyword("LOCATE")?;
    keyword("COMP")?;
    let port = words.next()?;
    words.next().filter(|word| word.eq_ignore_ascii_case("SITE"))?;
    let pin = words.next()?;
    Some((
        port.trim_matches('"'),
        pin.trim_end_matches(';').trim_matches('"'),
    ))
}

fn pin_names<'a>(pins: impl Iterator<Item = &'a str> + Clone) -> Option<PinNames> {
    let numbers: Option<Vec<u32>> = pins.clone().map(|pin| pin.parse().ok()).collect();
    match numbers {
        Some(numbers) if !numbers.is_empty() => Some(PinNames::Numbers(numbers)),
        Some(_) => None,
        None => Some(PinNames::Balls),
    }
}
