//! Who may use which route: the only place where that is decided. A route that nothing here speaks of is
//! the operator's alone, and a test fails.

use polyphemus_api::token::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Also without a token.
    Everyone,
    /// Whoever holds a token of this role, or the operator's.
    Role(Role),
}

impl Access {
    pub(super) fn allows(self, role: Role) -> bool {
        match self {
            Self::Everyone => true,
            Self::Role(needed) => role == needed || role == Role::Operator,
        }
    }
}

const USER: Access = Access::Role(Role::User);
const WORKER: Access = Access::Role(Role::Worker);
const OPERATOR: Access = Access::Role(Role::Operator);

/// By the route itself, or by what it lies below (`…/`); the first that fits.
const DECISIONS: [(&str, Access); 18] = [
    ("/healthz", Access::Everyone),
    ("/login", Access::Everyone),
    ("/logout", Access::Everyone),
    ("/static/", Access::Everyone),
    ("/metrics", USER),
    ("/", USER),
    ("/jobs", USER),
    ("/jobs.csv", USER),
    ("/jobs/", USER),
    ("/api/openapi.json", USER),
    ("/api/v1/jobs", USER),
    ("/api/v1/workers", USER),
    ("/api/v1/queue", USER),
    ("/api/v1/events", USER),
    ("/api/v1/jobs/", USER),
    ("/api/v1/tokens", OPERATOR),
    ("/api/v1/tokens/", OPERATOR),
    ("/api/v1/gc", OPERATOR),
];
/// The protocol of workers.
const OF_WORKERS: [&str; 4] = [
    "/api/v1/workers/claim",
    "/api/v1/attempts/",
    "/api/v1/blobs",
    "/api/v1/blobs/",
];

/// What was decided about a route, as the router writes it.
pub(super) fn decided(route: &str) -> Option<Access> {
    let fits = |named: &str| match named.strip_suffix('/') {
        Some(folder) if !folder.is_empty() => route.starts_with(named),
        _ => route == named,
    };
    let of_workers = || OF_WORKERS.iter().any(|named| fits(named)).then_some(WORKER);
    let decision = DECISIONS.iter().find(|(named, _)| fits(named));
    decision.map(|(_, access)| *access).or_else(of_workers)
}

pub(super) fn access(route: &str) -> Access {
    decided(route).unwrap_or(OPERATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_decided_is_the_operators() {
        assert_eq!(decided("/api/v2/anything"), None);
        assert_eq!(access("/api/v2/anything"), OPERATOR);
        assert_eq!(access("/jobsx"), OPERATOR);
        assert_eq!(access("/jobs/{id}/cancel"), USER);
        assert_eq!(access("/"), USER);
    }

    #[test]
    fn roles_do_what_is_theirs_and_operators_do_everything() {
        for (access, allowed) in [
            (Access::Everyone, [true, true, true]),
            (USER, [true, false, true]),
            (WORKER, [false, true, true]),
            (OPERATOR, [false, false, true]),
        ] {
            assert_eq!(Role::ALL.map(|role| access.allows(role)), allowed, "{access:?}");
        }
    }
}
