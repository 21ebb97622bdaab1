//! The clocks of a fake world. Each test has a thread, and so each thread has its clocks.

use std::cell::{Cell, RefCell};

use switchback_core::{Clock, Millis};
use switchback_testkit::VirtualClock;

/// When every fake world begins, in milliseconds since the epoch.
const EPOCH: Millis = 1_800_000_000_000;

thread_local! {
    static CLOCK: RefCell<Option<VirtualClock>> = const { RefCell::new(None) };
    /// How wrong the clock of the process is that runs.
    static WRONG_BY: Cell<i64> = const { Cell::new(0) };
    static STANDS_STILL: Cell<bool> = const { Cell::new(false) };
    /// How long the process stood still in all, while the time of others went on.
    static ASLEEP: Cell<Millis> = const { Cell::new(0) };
}

/// From now on this thread lives by that clock.
pub(super) fn live_by(clock: &VirtualClock) {
    CLOCK.set(Some(clock.clone()));
    STANDS_STILL.set(false);
    ASLEEP.set(0);
}

/// The process has stood still since the boot time `since`.
pub(super) fn wake_up(since: Millis) {
    ASLEEP.set(ASLEEP.get() + boot_time().saturating_sub(since));
}

/// A process begins, with a clock that is wrong by that many milliseconds.
pub(super) fn begin_process(wrong_by: i64) {
    WRONG_BY.set(wrong_by);
}

/// Takes a protection away: leases are measured on a clock that stands still in suspend.
pub(super) fn measure_leases_awake() {
    STANDS_STILL.set(true);
}

fn passed() -> Option<Millis> {
    CLOCK.with_borrow(|it| it.as_ref().map(Clock::now))
}

/// The time of day in the fake world, if this thread lives in one.
pub(in super::super) fn now() -> Option<Millis> {
    Some((EPOCH + passed()?).saturating_add_signed(WRONG_BY.get()))
}

/// The clock that goes on in suspend.
pub(super) fn boot_time() -> Millis {
    let awake = CLOCK.with_borrow(|it| it.as_ref().map_or(0, VirtualClock::awake));
    match STANDS_STILL.get() {
        true => awake.saturating_sub(ASLEEP.get()),
        false => passed().unwrap_or_default(),
    }
}
