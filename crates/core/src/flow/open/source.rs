//! The source files of a design as a graph: who uses whom, what is reached from a module, and in
//! which order it is to be compiled.

use super::file;
use crate::design::Design;
use crate::flow::PlanError;
use crate::verilog::{self, Unit, UnitKind, VerilogFile};
use std::collections::{BTreeMap, BTreeSet};

/// How many files are followed from one file; more are a mistake or meant to take up memory.
const MOST_INCLUDES: usize = 300;

/// All Verilog of a design.
#[derive(Debug)]
pub(super) struct Library<'a> {
    files: BTreeMap<&'a str, VerilogFile>,
    /// The files that each file includes, and theirs, with the folder from which each is found.
    included: BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
    by_name: BTreeMap<&'a str, Vec<&'a str>>,
    /// The source files that define each unit.
    providers: BTreeMap<String, BTreeSet<&'a str>>,
    macro_providers: BTreeMap<String, BTreeSet<&'a str>>,
    /// Source files whose text is not known: too large, or no text.
    pub(super) unread: Vec<&'a str>,
}

/// What belongs to a module.
#[derive(Debug, Default)]
pub(super) struct Reached<'a> {
    /// The files to compile, each after those it uses; where files use each other, each after those
    /// whose macros and packages it needs, since modules alone may come in any order.
    pub(super) files: Vec<&'a str>,
    /// The names of the units that are used, the first included.
    pub(super) units: BTreeSet<String>,
    /// Where included files are looked for.
    pub(super) include_folders: Vec<String>,
    /// What the units call, with the `$`.
    pub(super) system_tasks: BTreeSet<String>,
    /// The names used that no file defines: cells of the part, or a mistake; with a user of each.
    pub(super) undefined: BTreeMap<String, &'a str>,
}

impl Reached<'_> {
    pub(super) fn calls_any_of(&self, tasks: &[&str]) -> bool {
        tasks.iter().any(|task| self.system_tasks.contains(*task))
    }
}

impl<'a> Library<'a> {
    pub(super) fn new(design: &'a Design) -> Self {
        let mut library = Self {
            files: BTreeMap::new(),
            included: BTreeMap::new(),
            by_name: BTreeMap::new(),
            providers: BTreeMap::new(),
            macro_providers: BTreeMap::new(),
            unread: Vec::new(),
        };
        for path in design.paths() {
            match design.text(path) {
                Some(text) if may_be_included(path) => {
                    library.files.insert(path, verilog::scan(text));
                }
                None if file::is_source(path) => {
                    library.unread.push(path);
                    library.files.insert(path, named_as_file(path));
                }
                _ => {}
            }
        }
        for &path in library.files.keys() {
            library.by_name.entry(file::name(path)).or_default().push(path);
        }
        library.included = library
            .files
            .keys()
            .map(|&path| (path, library.includes_of(path)))
            .collect();
        library.index();
        library
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &'a str> {
        self.files.keys().copied().filter(|path| file::is_source(path))
    }

    /// The modules and other units that a file defines, with what it includes.
    pub(super) fn units(&self, path: &str) -> impl Iterator<Item = (&str, &Unit)> {
        self.with_included(path)
            .flat_map(|file| file.units.iter())
            .map(|(name, unit)| (name.as_str(), unit))
    }

    pub(super) fn unit(&self, path: &str, name: &str) -> Option<&Unit> {
        self.with_included(path).find_map(|file| file.units.get(name))
    }

    /// The source files that define a unit.
    pub(super) fn providers(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.providers.get(name).into_iter().flatten().copied()
    }

    /// What is reached from a unit of a file. Nothing is looked for behind the unit `stop`.
    pub(super) fn reach(
        &self,
        path: &'a str,
        unit: &str,
        stop: Option<&str>,
    ) -> Result<Reached<'a>, PlanError> {
        let mut walk = Walk::new(self, stop);
        walk.enter(path, Some(unit));
        while let Some((path, unit)) = walk.todo.pop() {
            walk.visit(path, unit.as_deref())?;
        }
        Ok(walk.finish(path))
    }

    fn index(&mut self) {
        for &path in self.files.keys().filter(|path| file::is_source(path)) {
            let headers = self.included[path]
                .keys()
                .filter(|included| !file::is_source(included));
            for source in headers.chain([&path]).filter_map(|path| self.files.get(path)) {
                for name in source.units.keys() {
                    self.providers.entry(name.clone()).or_default().insert(path);
                }
            }
            for name in &self.files[path].macros_defined {
                self.macro_providers.entry(name.clone()).or_default().insert(path);
            }
        }
    }

    fn with_included(&self, path: &str) -> impl Iterator<Item = &VerilogFile> {
        let included = self
            .included
            .get(path)
            .into_iter()
            .flat_map(|included| included.keys());
        included
            .filter_map(|path| self.files.get(path))
            .chain(self.files.get(path))
    }

    fn includes_of(&self, path: &'a str) -> BTreeMap<&'a str, &'a str> {
        let mut found = BTreeMap::new();
        let mut todo = vec![path];
        while let Some(path) = todo.pop() {
            for target in self.files.get(path).iter().flat_map(|file| &file.includes) {
                if let Some((included, folder)) = self.included_file(path, target)
                    && found.len() < MOST_INCLUDES
                    && !found.contains_key(included)
                {
                    found.insert(included, folder);
                    todo.push(included);
                }
            }
        }
        found
    }

    /// The file that an include means, and the folder it is found from: the includer's own, else
    /// any, the nearest first.
    fn included_file(&self, includer: &'a str, target: &str) -> Option<(&'a str, &'a str)> {
        let own = file::folder(includer);
        let beside = file::normal(&format!("{own}/{target}"))?;
        if let Some((&path, _)) = self.files.get_key_value(beside.as_str()) {
            return Some((path, own));
        }
        let target = file::normal(target)?;
        let below = format!("/{target}");
        let named = self.by_name.get(file::name(&target))?.iter().copied();
        let path = named
            .filter(|path| *path == target || path.ends_with(&below))
            .max_by_key(|path| shared_folders(path, includer))?;
        let folder = path[..path.len() - target.len()].trim_end_matches('/');
        Some((path, folder))
    }

    /// The file that a use of a name in a file means; `None` where no file defines it.
    fn provider(&self, user: &str, name: &str) -> Result<Option<&'a str>, PlanError> {
        let Some(found) = self.providers.get(name) else {
            return Ok(None);
        };
        if found.contains(user) || self.unit(user, name).is_some() {
            return Ok(self.files.get_key_value(user).map(|(&path, _)| path));
        }
        let beside: Vec<&str> = found
            .iter()
            .copied()
            .filter(|path| file::folder(path) == file::folder(user))
            .collect();
        // Custom has it that a module lives in the file of its name; others are variants of it.
        let candidates: Vec<&str> = match beside.is_empty() {
            true => found.iter().copied().collect(),
            false => beside.clone(),
        };
        let namesakes: Vec<&str> = candidates
            .into_iter()
            .filter(|path| file::stem(path) == name)
            .collect();
        match (found.len(), &beside[..], &namesakes[..]) {
            (1, ..) => Ok(found.first().copied()),
            (_, [only], _) | (_, _, [only]) => Ok(Some(only)),
            _ => Err(PlanError::DefinedTwice {
                unit: name.to_owned(),
                files: found.iter().map(|&path| path.to_owned()).collect(),
            }),
        }
    }
}

/// A walk along the uses; without recursion, since a design may be as deep as its author likes.
struct Walk<'a, 'l> {
    library: &'l Library<'a>,
    stop: Option<&'l str>,
    /// A file, and a unit of it or what it uses outside of all units.
    todo: Vec<(&'a str, Option<String>)>,
    seen: BTreeSet<(&'a str, Option<String>)>,
    uses: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Of these uses those that a compiler must have read before: of macros, packages and the like.
    needs: BTreeMap<&'a str, BTreeSet<&'a str>>,
    undefined: BTreeMap<String, &'a str>,
}

impl<'a, 'l> Walk<'a, 'l> {
    fn new(library: &'l Library<'a>, stop: Option<&'l str>) -> Self {
        Self {
            library,
            stop,
            todo: Vec::new(),
            seen: BTreeSet::new(),
            uses: BTreeMap::new(),
            needs: BTreeMap::new(),
            undefined: BTreeMap::new(),
        }
    }

    fn enter(&mut self, path: &'a str, unit: Option<&str>) {
        for unit in [None, unit] {
            let place = (path, unit.map(str::to_owned));
            if self.seen.insert(place.clone()) {
                self.todo.push(place);
            }
        }
    }

    fn visit(&mut self, path: &'a str, unit: Option<&str>) -> Result<(), PlanError> {
        self.uses.entry(path).or_default();
        let library = self.library;
        match unit {
            Some(unit) => {
                for source in library.with_included(path) {
                    for name in source.units.get(unit).iter().flat_map(|unit| &unit.uses) {
                        self.follow(path, name)?;
                    }
                }
            }
            None => {
                for name in library.with_included(path).flat_map(|file| &file.uses) {
                    self.follow(path, name)?;
                }
                self.follow_macros(path);
            }
        }
        Ok(())
    }

    fn follow(&mut self, path: &'a str, name: &str) -> Result<(), PlanError> {
        if self.stop == Some(name) {
            return Ok(());
        }
        match self.library.provider(path, name)? {
            Some(provider) => {
                self.uses.entry(path).or_default().insert(provider);
                let unit = self.library.unit(provider, name);
                if unit.is_some_and(|unit| unit.kind == UnitKind::Other) {
                    self.needs.entry(path).or_default().insert(provider);
                }
                self.enter(provider, Some(name));
            }
            None => {
                self.undefined.entry(name.to_owned()).or_insert(path);
            }
        }
        Ok(())
    }

    /// A macro that a file uses but neither defines nor includes comes from a file compiled before.
    fn follow_macros(&mut self, path: &'a str) {
        let library = self.library;
        let used: BTreeSet<&str> = library
            .with_included(path)
            .flat_map(|file| &file.macros_used)
            .map(String::as_str)
            .collect();
        for name in used {
            if library
                .with_included(path)
                .any(|file| file.macros_defined.contains(name))
            {
                continue;
            }
            let Some(providers) = library.macro_providers.get(name) else {
                continue;
            };
            if let (1, Some(&only)) = (providers.len(), providers.first()) {
                self.uses.entry(path).or_default().insert(only);
                self.needs.entry(path).or_default().insert(only);
                self.enter(only, None);
            }
        }
    }

    fn finish(self, root: &'a str) -> Reached<'a> {
        let included = &self.library.included;
        let inner: BTreeSet<&str> = self
            .uses
            .keys()
            .flat_map(|path| &included[path])
            .map(|(&path, _)| path)
            .collect();
        let folders: BTreeSet<&str> = self
            .uses
            .keys()
            .flat_map(|path| included[path].values().copied())
            .filter(|folder| !folder.is_empty())
            .collect();
        let files = dependencies_first([root], &self.uses);
        let mut files = dependencies_first(files, &self.needs);
        files.retain(|path| *path == root || !inner.contains(path));
        let units = self
            .seen
            .iter()
            .filter_map(|(path, unit)| self.library.unit(path, unit.as_deref()?));
        let system_tasks = units.flat_map(|unit| unit.system_tasks.iter().cloned()).collect();
        Reached {
            files,
            units: self.seen.into_iter().filter_map(|(_, unit)| unit).collect(),
            include_folders: folders.into_iter().map(str::to_owned).collect(),
            system_tasks,
            undefined: self.undefined,
        }
    }
}

/// The roots and all they reach, in an order in which each comes after those it uses, as far as
/// there is one; else as the roots are.
fn dependencies_first<'a>(
    roots: impl IntoIterator<Item = &'a str>,
    uses: &BTreeMap<&'a str, BTreeSet<&'a str>>,
) -> Vec<&'a str> {
    let used_by = |path| uses.get(path).into_iter().flatten();
    let mut ordered = Vec::new();
    let mut seen = BTreeSet::new();
    for root in roots {
        let mut open = Vec::new();
        if seen.insert(root) {
            open.push((root, used_by(root)));
        }
        while let Some((path, rest)) = open.last_mut() {
            match rest.next() {
                Some(&used) if seen.insert(used) => open.push((used, used_by(used))),
                Some(_) => {}
                None => {
                    ordered.push(*path);
                    open.pop();
                }
            }
        }
    }
    ordered
}

fn may_be_included(path: &str) -> bool {
    file::is_source(path) || path.ends_with(".vh") || path.ends_with(".svh")
}

/// The best guess for a file that cannot be read: one module of the file's name.
fn named_as_file(path: &str) -> VerilogFile {
    let unit = Unit {
        kind: UnitKind::Module,
        ..Unit::default()
    };
    VerilogFile {
        units: BTreeMap::from([(file::stem(path).to_owned(), unit)]),
        ..VerilogFile::default()
    }
}

fn shared_folders(one: &str, other: &str) -> usize {
    let pairs = file::folder(one).split('/').zip(file::folder(other).split('/'));
    pairs.take_while(|(one, other)| one == other).count()
}
