//! Each protection taken away: the sweep that is there for it has to see that.

use switchback_testkit::{World, world::Hooks};

use super::{
    act::Act,
    less::Missing,
    run::with_room,
    schedule::{SCENARIOS, Schedule, Who},
    schedules::Player,
    time::measure_leases_awake,
};

/// What happens once in each schedule of a sweep, at each request that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// A death, recovered by whoever began.
    Deaths,
    /// A death, recovered by another store.
    OtherStores,
    /// A death whose last effect comes a little later.
    Late,
    /// A cut of the power, of the process and of the engine.
    Restarts,
    /// Another store takes over while the process stands still.
    Sleep,
}

impl Of {
    fn acts(self) -> Vec<Act> {
        match self {
            Self::Deaths | Self::OtherStores => vec![Act::DieAfter, Act::DieBefore],
            // Later than a way back takes that does not wait for it.
            Self::Late => vec![Act::DieDuring(15_000)],
            Self::Restarts => vec![Act::PowerCut { effect: true }],
            Self::Sleep => vec![Act::TakenOver],
        }
    }

    /// Every schedule of it. In each something happens: what is red without that shows nothing of a
    /// sweep.
    fn schedules(self, player: &Player) -> Vec<Schedule> {
        let who = if self == Self::OtherStores { Who::Other } else { Who::Same };
        let mut all = Vec::new();
        for scenario in SCENARIOS {
            let places = player.places(scenario);
            let places = if self == Self::Late { places.late } else { places.changes };
            for at in places {
                let acts = self.acts().into_iter();
                all.extend(acts.map(|act| Schedule::with(scenario, at, act, who)));
            }
        }
        all
    }
}

/// Fails unless the sweep is red with something taken away, and green with the same schedule and all
/// protections.
fn is_seen(of: Of, missing: Missing, disturb: impl Fn(&World) + Send) {
    with_room(move || {
        let player = Player::new();
        let schedules = of.schedules(&player);
        let is_red = |it: &&Schedule| player.play(it, missing, &disturb).is_err();
        let Some(red) = schedules.iter().find(is_red) else {
            panic!("{} schedules have not seen that something is missing", schedules.len());
        };
        assert_eq!(player.play(red, Missing::Nothing, |_| ()), Ok(()), "with all protections");
    });
}

#[test]
fn the_sweep_sees_that_nobody_looks_before_acting() {
    is_seen(Of::Deaths, Missing::Look, |_| ());
}

#[test]
fn the_sweep_sees_that_late_effects_are_not_waited_out() {
    is_seen(Of::Late, Missing::Barrier, |_| ());
}

#[test]
fn the_sweep_sees_that_the_intent_is_written_after_the_effect() {
    is_seen(Of::Deaths, Missing::Intent, |_| ());
}

#[test]
fn the_sweep_sees_that_recovery_goes_by_memory() {
    is_seen(Of::Deaths, Missing::Observation, |_| ());
}

#[test]
fn the_sweep_sees_that_an_undo_cannot_be_repeated() {
    is_seen(Of::Deaths, Missing::Repeating, |_| ());
}

#[test]
fn the_sweep_sees_that_nothing_is_verified_before_the_commit() {
    is_seen(Of::Deaths, Missing::Gate, |_| ());
}

#[test]
fn the_sweep_sees_that_the_data_does_not_go_back() {
    is_seen(Of::Deaths, Missing::Data, |_| ());
}

#[test]
fn the_sweep_sees_that_the_old_restart_policy_is_not_parked() {
    is_seen(Of::Restarts, Missing::Nothing, |world| {
        world.set_hooks(Hooks { keeps_policies: true, ..Hooks::default() });
    });
}

#[test]
fn the_sweep_sees_that_nothing_is_recorded_with_the_target() {
    is_seen(Of::OtherStores, Missing::Nothing, |world| {
        world.set_hooks(Hooks { loses_journal: true, ..Hooks::default() });
    });
}

#[test]
fn the_sweep_sees_that_a_lease_is_not_asked_for_after_a_sleep() {
    is_seen(Of::Sleep, Missing::Nothing, |_| measure_leases_awake());
}
