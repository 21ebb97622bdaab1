//! One command in many worlds on an engine of the tests' own, to which something happens at a request
//! of each.

use super::{
    consistent::{Judge, Standing, running},
    scenario::Scenario,
};
use crate::common::{
    World,
    gathering::{Gathered, Places, gathered, requests_of},
    spare::{Machine, Spare},
    survival::Case,
};

/// What happens, and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sweep {
    pub(super) scenario: Scenario,
    /// The first request, and how far they are apart, unless each is tried.
    pub(super) places: (usize, usize),
    /// Whether the program is killed too.
    pub(super) kills: bool,
    /// As the table of what survives what names it.
    pub(super) name: &'static str,
    pub(super) event: fn(&Machine),
    /// The restart policy of the service.
    pub(super) policy: &'static str,
    /// Whether it takes what does not run.
    pub(super) prunes: bool,
}

impl Sweep {
    /// Lets it happen at every request, and fails unless everything has come to a good end each time.
    pub(super) fn run(&self) {
        let spare = Spare::take();
        let world = || self.scenario.world_on(spare.url(), self.policy);
        let arguments = self.scenario.arguments;
        let total = requests_of(&world(), arguments, self.scenario.code);
        let mut places = Places::new(self.places.0, total, self.places.1);
        let mut failures = Vec::new();
        while let Some(chunk) = places.next() {
            let worlds: Vec<World> = chunk.iter().map(|_| world()).collect();
            let before: Vec<Standing> = worlds.iter().map(Standing::of).collect();
            let there: Vec<_> = chunk.iter().copied().zip(&worlds).collect();
            let (machine, event) = (spare.machine(), self.event);
            let ended = gathered(&there, arguments, self.kills, move || event(&machine));
            spare.wait_until_it_answers();
            for (((place, world), before), ended) in there.into_iter().zip(&before).zip(&ended) {
                places.tried(place, ended);
                failures.extend(self.mended(world, before, ended).err());
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n\n=====\n\n"));
        places.assert_most_were_struck();
    }

    /// What has to hold after the next command.
    fn mended(&self, world: &World, before: &Standing, struck: &Gathered) -> Result<(), String> {
        let (was, to) = (self.scenario.from(), self.scenario.to);
        let mut said = format!("{:?}\n{}", struck.at, struck.output);
        let judge = Judge::called(world, self.scenario, before, struck.output.code);
        let mut judge = judge.map_err(|it| format!("{said}\n{it}"))?;
        judge.was_pruned = self.prunes;
        said = format!("{said}\nleft: {:?}", judge.left);
        let case = Case::seen_in(struck.phase, world, self.name, was, to);
        let meanwhile = running(world);
        if meanwhile.len() > 1 {
            return Err(format!("{said}\nbefore anybody recovers there run {meanwhile:?}"));
        }
        // A prune stops nobody, who then needs no help. After a restart a success does too: its
        // lease may be left, if the engine went away at the very end.
        if !self.prunes || struck.output.code != Some(self.scenario.code) {
            let recovered = world.run_json(&["recover", "web", "-y"]);
            judge.hears("state", &recovered);
            said = format!("{said}\n{recovered}");
            if recovered.code != Some(0) {
                return Err(said);
            }
        }
        judge.judges().map_err(|it| format!("{said}\n{it}"))?;
        if struck.at.is_some() {
            let by = if self.prunes { "itself, or the same store" } else { "the same store" };
            case.ended(&world.serving(), was, to, by);
        }
        Ok(())
    }
}
