//! One device, one attempt.
