//! The events of one operation, folded into what there is to see: which step is in which state.

use std::collections::VecDeque;

use serde_json::Value;
use switchback_core::Millis;
use switchback_core::event::{Event, EventKind, PhaseName, StepState, StepTitle, Unit};

/// How many things a step may move at once before the oldest is forgotten. An image has at most
/// 127 layers.
const ITEMS_MAX: usize = 128;

/// How many steps are kept, should an operation announce none and run ever more.
const STEPS_MAX: usize = 1024;

/// What there is to see of one operation. A value; it changes only by [`View::fold`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// The deployment.
    pub deployment: String,
    /// `update`, `rollback`, `recover`, `adopt`; empty until the operation said so.
    pub action: String,
    /// The phase that began last.
    pub phase: Option<PhaseName>,
    /// The steps, in the order in which they were announced.
    pub steps: Vec<StepView>,
    /// What the running step moves: layers, mounts.
    pub items: VecDeque<ItemView>,
    /// What the gate has seen since the verification began.
    pub gate: Option<GateView>,
    /// The result object, once the operation ended.
    pub result: Option<Value>,
    /// The time of the last event.
    pub now: Millis,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepView {
    /// Its number, its phase, its words.
    pub title: StepTitle,
    /// What became of it; nothing yet if it has only been announced.
    pub state: Option<StepState>,
    /// When what it does now (running, or being taken back) began.
    pub since: Millis,
}

/// One thing that a step moves.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemView {
    /// A layer's short id, a mount's path.
    pub item: String,
    /// What is being done to it.
    pub message: String,
    /// How much is done.
    pub done: u64,
    /// Out of how much, if that is known.
    pub total: Option<u64>,
    /// In what both are counted.
    pub unit: Unit,
}

/// What the gate has seen.
#[derive(Debug, Clone, PartialEq)]
pub struct GateView {
    /// When the looking began.
    pub since: Millis,
    /// How many good looks there were in a row.
    pub good: u32,
    /// How many it takes, if the gate said so.
    pub needed: Option<u32>,
    /// What the last look saw.
    pub message: String,
}

impl View {
    /// Takes one more event in.
    pub fn fold(&mut self, event: &Event) {
        self.deployment.clone_from(&event.deployment);
        self.now = event.at;
        match &event.kind {
            EventKind::Started { action, steps } => self.start(action, steps),
            EventKind::Phase { phase } => self.enter(*phase),
            EventKind::Step { step, phase, title, state, .. } => {
                let title = StepTitle { step: *step, phase: *phase, title: title.clone() };
                self.step(title, *state);
            }
            EventKind::Progress { item, message, done, total, unit } => self.progress(ItemView {
                item: item.clone(),
                message: message.clone(),
                done: *done,
                total: *total,
                unit: *unit,
            }),
            EventKind::Probe { ready, message, streak, streak_needed } => {
                self.probe(*ready, message, *streak, *streak_needed);
            }
            EventKind::Finished { result } => self.finish(result),
            EventKind::Warning { .. } | EventKind::Unknown => {}
        }
    }

    /// The step that is under way, or being taken back.
    pub fn running(&self) -> Option<&StepView> {
        let under_way =
            |step: &&StepView| matches!(step.state, Some(StepState::Started | StepState::Undoing));
        self.steps.iter().rev().find(under_way)
    }

    /// The step of that number in that phase.
    pub fn find(&self, phase: PhaseName, step: u16) -> Option<&StepView> {
        self.steps.iter().find(|known| known.title.phase == phase && known.title.step == step)
    }

    /// How many bytes have arrived, and out of how many as far as that is known.
    pub fn bytes(&self) -> Option<(u64, u64)> {
        let sizes = self.items.iter().filter(|item| item.unit == Unit::Bytes);
        sizes
            .filter_map(|item| Some((item.done, item.total?)))
            .reduce(|sum, more| (sum.0.saturating_add(more.0), sum.1.saturating_add(more.1)))
    }

    fn start(&mut self, action: &str, steps: &[StepTitle]) {
        action.clone_into(&mut self.action);
        self.steps = steps
            .iter()
            .take(STEPS_MAX)
            .map(|title| StepView { title: title.clone(), state: None, since: self.now })
            .collect();
    }

    fn enter(&mut self, phase: PhaseName) {
        self.phase = Some(phase);
        self.items.clear();
        self.gate = (phase == PhaseName::Verifying).then(|| GateView {
            since: self.now,
            good: 0,
            needed: None,
            message: String::new(),
        });
    }

    fn step(&mut self, title: StepTitle, state: StepState) {
        self.items.clear();
        let now = self.now;
        let known =
            |step: &StepView| step.title.phase == title.phase && step.title.step == title.step;
        match self.steps.iter().position(known) {
            Some(at) => {
                let step = &mut self.steps[at];
                step.title = title;
                step.state = Some(state);
                if matches!(state, StepState::Started | StepState::Undoing) {
                    step.since = now;
                }
            }
            None if self.steps.len() < STEPS_MAX => {
                self.steps.push(StepView { title, state: Some(state), since: now });
            }
            None => {}
        }
    }

    fn progress(&mut self, item: ItemView) {
        if let Some(known) = self.items.iter_mut().find(|known| known.item == item.item) {
            *known = item;
            return;
        }
        if self.items.len() == ITEMS_MAX {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }

    fn probe(&mut self, ready: bool, message: &str, streak: Option<u32>, needed: Option<u32>) {
        let now = self.now;
        let gate = self.gate.get_or_insert_with(|| GateView {
            since: now,
            good: 0,
            needed: None,
            message: String::new(),
        });
        gate.good = match (ready, streak) {
            (false, _) => 0,
            (true, Some(streak)) => streak,
            (true, None) => gate.good.saturating_add(1),
        };
        gate.needed = needed.or(gate.needed);
        message.clone_into(&mut gate.message);
    }

    fn finish(&mut self, result: &Value) {
        self.items.clear();
        self.gate = None;
        self.result = Some(result.clone());
    }
}

impl ItemView {
    /// Whether nothing more will come of it in this pass.
    pub fn is_complete(&self) -> bool {
        self.total.is_some_and(|total| self.done >= total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::script;

    #[test]
    fn the_whole_plan_is_known_before_anything_happens() {
        let mut view = View::default();
        view.fold(&script::committed_update()[0]);
        let titles: Vec<_> = view.steps.iter().map(|step| step.title.title.as_str()).collect();
        assert_eq!(titles, ["Pulling latest image", "Stopping service", "Starting new container"]);
        assert!(view.steps.iter().all(|step| step.state.is_none()));
        assert!(view.running().is_none());
    }

    #[test]
    fn a_bad_look_breaks_the_run_of_good_ones() {
        let mut view = View::default();
        let mut good = Vec::new();
        for ready in [true, true, false, true] {
            view.fold(&script::event(0, script::probe(ready, None)));
            good.push(view.gate.as_ref().unwrap().good);
        }
        assert_eq!(good, [1, 2, 0, 1]);
    }

    #[test]
    fn what_moves_is_bounded_and_forgotten_with_its_step() {
        let mut view = View::default();
        for layer in 0..1000 {
            view.fold(&script::event(0, script::layer(&layer.to_string(), 1, Some(2))));
        }
        assert_eq!(view.items.len(), ITEMS_MAX);
        assert_eq!(view.bytes(), Some((128, 256)));
        view.fold(&script::event(0, script::step(1, PhaseName::Staging, "Pull", StepState::Done)));
        assert!(view.items.is_empty());
    }

    #[test]
    fn an_unannounced_step_and_an_unknown_event_do_no_harm() {
        let mut view = View::default();
        view.fold(&script::event(0, EventKind::Unknown));
        let started = script::step(9, PhaseName::Switching, "Extra", StepState::Started);
        view.fold(&script::event(5, started));
        assert_eq!(view.running().map(|step| step.since), Some(view.now));
    }
}
