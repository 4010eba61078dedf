//! Which of a job's files a user means.

use crate::Failure;
use globset::{GlobBuilder, GlobMatcher};
use polyphemus_api::job::JobFile;
use polyphemus_api::running::RunningFile;

/// What has a path: a file that is committed, or one of a running stage.
pub trait Named {
    fn path(&self) -> &str;
}

impl Named for JobFile {
    fn path(&self) -> &str {
        &self.path
    }
}

impl Named for RunningFile {
    fn path(&self) -> &str {
        &self.path
    }
}

/// The files that the words name, in the order of the list; without words, all. A word is a path, a
/// directory, or a glob in which `*` stays within a directory.
pub fn choose<'a, F: Named>(files: &'a [F], words: &[String]) -> Result<Vec<&'a F>, Failure> {
    if words.is_empty() {
        return Ok(files.iter().collect());
    }
    let words: Vec<Word> = words
        .iter()
        .map(|word| Word::parse(word))
        .collect::<Result<_, _>>()?;
    for word in &words {
        if !files.iter().any(|file| word.means(file.path())) {
            return Err(unknown(&word.text, files));
        }
    }
    let is_chosen = |file: &&F| words.iter().any(|word| word.means(file.path()));
    Ok(files.iter().filter(is_chosen).collect())
}

struct Word {
    text: String,
    glob: GlobMatcher,
}

impl Word {
    fn parse(word: &str) -> Result<Self, Failure> {
        let text = word
            .strip_prefix("./")
            .unwrap_or(word)
            .trim_end_matches('/')
            .to_owned();
        let glob = GlobBuilder::new(&text)
            .literal_separator(true)
            .build()
            .map_err(|error| {
                Failure::Usage(format!("{error}; write `[[]` for a `[` that is meant as it is"))
            })?;
        Ok(Self {
            glob: glob.compile_matcher(),
            text,
        })
    }

    fn means(&self, path: &str) -> bool {
        let is_inside = || {
            path.strip_prefix(self.text.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        path == self.text || is_inside() || self.glob.is_match(path)
    }
}

fn unknown<F: Named>(word: &str, files: &[F]) -> Failure {
    const SHOWN: usize = 8;
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let alike = files.iter().filter(|file| name(file.path()) == name(word));
    let alike: Vec<&str> = alike.take(SHOWN).map(|file| file.path()).collect();
    let hint = if alike.is_empty() {
        "`polyphemus files ID` lists what there is".to_owned()
    } else {
        format!("there is {}", alike.join(", "))
    };
    Failure::Usage(format!("the job has no file `{word}`; {hint}"))
}
