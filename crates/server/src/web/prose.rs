//! Sentences for people, in which names stand between backticks.

/// A sentence cut at its backticks; templates show the names as code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prose {
    /// Whether it is a name, and the text.
    pub(super) parts: Vec<(bool, String)>,
}

impl Prose {
    pub(super) fn new(text: &str) -> Self {
        let pieces: Vec<&str> = text.split('`').collect();
        // A backtick without its partner is a backtick.
        if pieces.len().is_multiple_of(2) {
            return Self {
                parts: vec![(false, text.to_owned())],
            };
        }
        let parts = pieces
            .iter()
            .enumerate()
            .map(|(index, piece)| (index % 2 == 1, (*piece).to_owned()));
        Self {
            parts: parts.filter(|(_, piece)| !piece.is_empty()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_between_backticks_stand_apart() {
        let parts = |text: &str| Prose::new(text).parts;
        assert_eq!(
            parts("take `device` or `part`"),
            [
                (false, "take ".into()),
                (true, "device".into()),
                (false, " or ".into()),
                (true, "part".into())
            ]
        );
        assert_eq!(parts("it`s"), [(false, "it`s".into())]);
        assert_eq!(parts(""), []);
    }
}
