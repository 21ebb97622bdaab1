//! What the sweeps interrupt: an update, an update that fails and goes back, and a rollback.

use crate::common::World;

/// What is there before the first update.
pub(super) const ROWS: usize = 6;

/// What is written to 2.0.0 before its rollback, which does not come along to 1.0.0.
const MORE_ROWS: usize = 2;

/// A command, and the world in which it is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    word: &'static str,
    /// The version that the command leads to, if it succeeds.
    pub(super) to: &'static str,
    pub(super) arguments: &'static [&'static str],
    /// The exit code without an interruption.
    pub(super) code: i32,
}

pub(super) const UPDATE: Scenario =
    Scenario { word: "kill", to: "2.0.0", arguments: &["update", "web", "-y"], code: 0 };

pub(super) const FAILING: Scenario =
    Scenario { word: "killback", to: "3.0.0", arguments: &["update", "web", "--force"], code: 4 };

pub(super) const ROLLBACK: Scenario = Scenario {
    word: "killroll",
    to: "1.0.0",
    arguments: &["rollback", "web", "--with-data", "-y"],
    code: 0,
};

impl Scenario {
    pub(super) fn from(&self) -> &'static str {
        if self.is_rollback() { "2.0.0" } else { "1.0.0" }
    }

    /// Whether an update has been committed before.
    pub(super) fn is_rollback(&self) -> bool {
        self.to == "1.0.0"
    }

    /// The version that has to serve.
    pub(super) fn serves(&self, committed: bool) -> &'static str {
        if committed { self.to } else { self.from() }
    }

    /// How many rows that version has to have: those of its own time.
    pub(super) fn rows(&self, committed: bool) -> usize {
        if self.is_rollback() && !committed { ROWS + MORE_ROWS } else { ROWS }
    }

    /// A world in which the command can be given.
    pub(super) fn world(&self) -> World {
        self.prepared(World::new(self.word), "unless-stopped")
    }

    /// As [`Scenario::world`], on another engine and with another restart policy.
    pub(super) fn world_on(&self, engine: &str, policy: &str) -> World {
        self.prepared(World::on_engine(engine, self.word), policy)
    }

    fn prepared(&self, world: World, policy: &str) -> World {
        world.setting("data.policy = \"snapshot\"");
        let deadline = if self.code == 0 { "10s" } else { "1500ms" };
        world.gate(&format!(
            "interval = \"50ms\"\ntimeout = \"1s\"\nhealthy_streak = 2\nmin_healthy_time = \"300ms\"\n\
             healthy_deadline = \"{deadline}\""
        ));
        world.publish("1.0.0", &[]);
        // The last of two restart policies is the one that holds.
        world.start_service_with(&["--restart", policy]);
        world.write_rows(ROWS);
        world.publish(if self.is_rollback() { "2.0.0" } else { self.to }, &[]);
        if self.is_rollback() {
            world.run(&["update", "web", "-y"]).exits(0);
            world.write_rows(MORE_ROWS);
        }
        world
    }
}
