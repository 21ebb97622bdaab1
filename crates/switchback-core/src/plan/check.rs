//! Lints on a finished plan, by code that did not build it.

use std::collections::BTreeSet;

use crate::{Part, Plan, StepId, Target};

/// Something that no plan may have. A plan with a finding is a defect of its planner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Two steps have one number.
    #[error("step {} is there twice", .0.0)]
    Twice(StepId),
    /// A step that nothing can take back stands before the commit.
    #[error("step {} cannot be taken back and stands before the commit", .0.0)]
    Irreversible(StepId),
    /// A step has no time to take effect.
    #[error("step {} has no time", .0.0)]
    NoTime(StepId),
    /// The gate asks for nothing.
    #[error("the gate asks for no evidence")]
    NoEvidence,
}

/// Reads a whole plan. Empty means that it may run.
pub fn check<T: Target>(plan: &Plan<T::Change>) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for (part, step) in plan.steps() {
        if !seen.insert(step.id) {
            findings.push(Finding::Twice(step.id));
        }
        if part != Part::Retire && T::is_irreversible(&step.change) {
            findings.push(Finding::Irreversible(step.id));
        }
        if step.limit == 0 {
            findings.push(Finding::NoTime(step.id));
        }
    }
    if plan.gate.streak == 0 || plan.gate.interval == 0 || plan.gate.deadline == 0 {
        findings.push(Finding::NoEvidence);
    }
    findings
}
