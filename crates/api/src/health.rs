//! Where those look who watch a server.

/// 200 when the server can do its work, else 503 with the reason; for everybody.
pub const HEALTHZ: &str = "/healthz";
/// Figures, as Prometheus reads them.
pub const METRICS: &str = "/metrics";
