//! Maps, lists and numbers of a report as they are taken in from a file that may be hostile: maps of
//! bounded size, lists folded while they are read, numbers that can be true.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// More kinds of cells or clocks than any part or design has; beyond it a file is refused.
pub(crate) const MAX_ENTRIES: usize = 4096;

/// Names of nets grow with the hierarchy; beyond this many bytes a file is refused.
pub(crate) const MAX_NAME_BYTES: usize = 4096;

/// A JSON object with at most [`MAX_ENTRIES`] names, each of at most [`MAX_NAME_BYTES`].
#[derive(Debug)]
pub(crate) struct Entries<V>(pub(crate) BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<V> {
    type Value = Entries<V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object with at most {MAX_ENTRIES} names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, V>()? {
            if name.len() > MAX_NAME_BYTES {
                return Err(A::Error::custom(format_args!("a name of {} bytes", name.len())));
            }
            entries.insert(name, value);
            if entries.len() > MAX_ENTRIES {
                return Err(A::Error::custom(format_args!(
                    "more than {MAX_ENTRIES} names in one object"
                )));
            }
        }
        Ok(Entries(entries))
    }
}

/// Something that a JSON list is folded into, so that a list of any length takes no memory.
pub(crate) trait Fold<'de>: Default {
    type Item: Deserialize<'de>;
    fn add(&mut self, item: Self::Item);
}

/// A JSON list, folded.
#[derive(Debug, Default)]
pub(crate) struct Folded<F>(pub(crate) F);

impl<'de, F: Fold<'de>> Deserialize<'de> for Folded<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FoldVisitor(PhantomData))
    }
}

struct FoldVisitor<F>(PhantomData<F>);

impl<'de, F: Fold<'de>> Visitor<'de> for FoldVisitor<F> {
    type Value = Folded<F>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut folded = F::default();
        while let Some(item) = list.next_element()? {
            folded.add(item);
        }
        Ok(Folded(folded))
    }
}

/// A delay or frequency: finite and not below zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub(crate) struct Amount(pub(crate) f64);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        if value.is_finite() && value >= 0.0 {
            Ok(Self(value))
        } else {
            Err(D::Error::custom(format_args!(
                "{value} cannot be a delay or a frequency"
            )))
        }
    }
}
