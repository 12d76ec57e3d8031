//! Risk: parameters, the rules, violations.

pub mod rules;
