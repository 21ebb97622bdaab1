//! One command in many worlds on an engine of the tests' own, to which something happens at a request
//! of each.

use std::time::{Duration, Instant};

use super::{
    consistent::{Judge, Standing, running},
    scenario::Scenario,
};
use crate::common::{
    World,
    gathering::{Gathered, Kills, Places, Struck, gathered, requests_of},
    proxy::Moment,
    spare::{Machine, Spare},
    survival::Case,
};

/// Far longer than an engine needs to bring back what ran, also where a machine has too much to do.
const PATIENCE: Duration = Duration::from_secs(90);

/// How far requests are apart in a full sweep, besides the first after each record: between two records
/// an engine is asked up to a dozen times.
const FULL_STEP: usize = 10;

/// What an engine says of a port that somebody else has.
const TAKEN: &str = "port is already allocated";

/// What happens, and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sweep {
    pub(super) scenario: Scenario,
    /// The first request, and how far they are apart.
    pub(super) places: (usize, usize),
    /// What becomes of the requests first.
    pub(super) moment: Moment,
    /// Whether the program is killed too.
    pub(super) kills: Kills,
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
        let requests = requests_of(&world(), arguments, self.scenario.code);
        let mut places = Places::new(self.places, FULL_STEP, &requests);
        let how = Struck { arguments, kills: self.kills, moment: self.moment };
        let mut failures = Vec::new();
        while let Some(chunk) = places.next() {
            let worlds: Vec<World> = chunk.iter().map(|_| world()).collect();
            let before: Vec<Standing> = worlds.iter().map(Standing::of).collect();
            let there: Vec<_> = chunk.iter().copied().zip(&worlds).collect();
            let (machine, event) = (spare.machine(), self.event);
            let ended = gathered(&there, how, move || event(&machine));
            spare.wait_until_it_answers();
            for (((place, world), before), ended) in there.into_iter().zip(&before).zip(&ended) {
                places.tried(place, ended);
                failures.extend(self.mended(&spare, world, before, ended).err());
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n\n=====\n\n"));
        places.assert_most_were_struck();
    }

    /// The versions of which one has to serve before anybody recovers; none where nobody has to.
    fn serve_by_themselves(&self, struck: &Gathered) -> Vec<&'static str> {
        let (was, to) = (self.scenario.from(), self.scenario.to);
        match (struck.output.code, struck.phase) {
            (Some(0), _) => vec![to],
            (Some(1 | 3 | 4), _) => vec![was],
            // Between the stop and the start nobody does; and who is stuck has said so.
            (Some(5), _) | (_, "switching" | "rolling_back") => vec![],
            (_, "staging") => vec![was],
            (_, "verifying" | "sealing" | "retiring") => vec![to],
            // Before its first record, or after its last.
            _ => vec![was, to],
        }
    }

    /// What has to hold before the next command.
    fn stands(&self, world: &World, struck: &Gathered) -> Result<(), String> {
        let versions = self.serve_by_themselves(struck);
        let deadline = Instant::now() + PATIENCE;
        let serves = || {
            let serving = world.serving();
            versions.iter().any(|it| *it == serving) && running(world) == [world.name.clone()]
        };
        while !versions.is_empty() && !serves() {
            if Instant::now() > deadline {
                let (phase, serving) = (struck.phase, world.serving());
                let all = world.docker(&["ps", "--all", "--format", "{{.Names}} {{.Status}}"]);
                return Err(format!(
                    "in {phase} one of {versions:?} has to serve before anybody recovers, not {serving:?}; there are:\n{all}"
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let meanwhile = running(world);
        let is_one = meanwhile.len() <= 1;
        is_one.then_some(()).ok_or(format!("before anybody recovers there run {meanwhile:?}"))
    }

    /// What has to hold after the next command.
    fn mended(
        &self,
        spare: &Spare,
        world: &World,
        before: &Standing,
        struck: &Gathered,
    ) -> Result<(), String> {
        let (was, to) = (self.scenario.from(), self.scenario.to);
        let mut said = format!("{:?}, {:?}\n{}", struck.at, self.moment, struck.output);
        self.stands(world, struck).map_err(|it| format!("{said}\n{it}"))?;
        let judge = Judge::called(world, self.scenario, before, struck.output.code);
        let mut judge = judge.map_err(|it| format!("{said}\n{it}"))?;
        judge.was_pruned = self.prunes;
        if matches!(struck.output.code, Some(0 | 1 | 3 | 4)) {
            // Who has been told of an end goes on working, and nobody may take that back.
            world.write_rows(1);
            judge.more_rows += 1;
        }
        said = format!("{said}\nleft: {:?}", judge.left);
        let case = Case::seen_in(struck.phase, world, self.name, was, to);
        // A prune stops nobody, who then needs no help. After a restart a success does too: its
        // lease may be left, if the engine went away at the very end.
        if !self.prunes || struck.output.code != Some(self.scenario.code) {
            let mut recovered = world.run_json(&["recover", "web", "-y"]);
            // One that was killed while it started a container may keep that one's port although the
            // container is gone, until it is started again (seen on 20.10).
            let is_taken = recovered.stdout.contains(TAKEN) || recovered.stderr.contains(TAKEN);
            if recovered.code == Some(5) && is_taken {
                said = format!("{said}\n{recovered}");
                judge.was_in_the_way = true;
                spare.kill_engine();
                spare.wait_until_it_answers();
                recovered = world.run_json(&["recover", "web", "-y"]);
            }
            judge.hears("state", &recovered);
            said = format!("{said}\n{recovered}");
            if recovered.code != Some(0) {
                return Err(said);
            }
        }
        judge.judges().map_err(|it| format!("{said}\n{it}"))?;
        if struck.at.is_some() {
            let by = if self.prunes && self.kills == Kills::Never {
                "itself, or the same store"
            } else {
                "the same store"
            };
            case.ended(&world.serving(), was, to, by);
        }
        Ok(())
    }
}
