//! What a person at a terminal sees: a spinner on what runs, bars on what moves, a mark on what
//! is over.

use std::collections::BTreeMap;
use std::time::Duration;

use console::Style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use switchback_core::Millis;
use switchback_core::event::{Event, EventKind, PhaseName, StepState, Unit};

use super::text;
use super::view::{GateView, ItemView, StepView, View};

/// How many bars show at once: an image of forty layers must not push its own headline off the
/// screen.
const BARS_MAX: usize = 8;

/// How often the spinner turns. Eight times a second looks alive and costs nothing.
const TICK: Duration = Duration::from_millis(125);

/// Draws events onto a terminal.
#[derive(Debug)]
pub struct Live {
    terminal: MultiProgress,
    colors: bool,
    operations: BTreeMap<String, (View, Drawing)>,
}

/// What is drawn of one operation.
#[derive(Debug, Default)]
struct Drawing {
    spinner: Option<ProgressBar>,
    bars: Vec<ProgressBar>,
}

impl Live {
    /// Draws onto that terminal.
    pub fn new(terminal: MultiProgress, colors: bool) -> Self {
        Self { terminal, colors, operations: BTreeMap::new() }
    }

    /// Takes an event in and draws what changed.
    pub fn on_event(&mut self, event: &Event) {
        let operation = self.operations.entry(event.operation.clone()).or_default();
        let (view, drawing) = operation;
        let spoken = spoken(view, event, self.colors);
        view.fold(event);
        if let Some(line) = spoken {
            // A terminal that went away is no reason to end an update.
            let _unwritable = self.terminal.println(line);
        }
        if matches!(event.kind, EventKind::Finished { .. }) {
            drawing.clear(&self.terminal);
            self.operations.remove(&event.operation);
        } else {
            drawing.draw(view, &self.terminal, self.colors);
        }
    }
}

impl Drop for Live {
    /// Leaves the terminal as a shell expects it, whatever ended us.
    fn drop(&mut self) {
        for (_, drawing) in self.operations.values_mut() {
            drawing.clear(&self.terminal);
        }
        let _unwritable = self.terminal.clear();
    }
}

impl Drawing {
    fn draw(&mut self, view: &View, terminal: &MultiProgress, colors: bool) {
        let Some((headline, since)) = headline(view) else {
            return self.clear(terminal);
        };
        let spinner = self.spinner.get_or_insert_with(|| {
            let spinner =
                terminal.add(ProgressBar::new_spinner().with_style(spinner_style(colors)));
            spinner.enable_steady_tick(TICK);
            spinner
        });
        spinner.set_elapsed(Duration::from_millis(view.now.saturating_sub(since)));
        spinner.set_message(headline);
        self.draw_bars(view, terminal);
    }

    fn draw_bars(&mut self, view: &View, terminal: &MultiProgress) {
        let moving: Vec<&ItemView> =
            view.items.iter().filter(|item| !item.is_complete()).take(BARS_MAX).collect();
        while self.bars.len() > moving.len() {
            if let Some(bar) = self.bars.pop() {
                remove(&bar, terminal);
            }
        }
        while self.bars.len() < moving.len() {
            self.bars.push(terminal.add(ProgressBar::no_length()));
        }
        for (bar, item) in self.bars.iter().zip(moving) {
            bar.set_style(bar_style(item));
            bar.set_prefix(text::one_line(&item.item));
            bar.set_message(item_words(item));
            if let Some(total) = item.total {
                bar.set_length(total);
            }
            bar.set_position(item.done);
        }
    }

    fn clear(&mut self, terminal: &MultiProgress) {
        for bar in self.bars.drain(..).chain(self.spinner.take()) {
            remove(&bar, terminal);
        }
    }
}

fn remove(bar: &ProgressBar, terminal: &MultiProgress) {
    bar.finish_and_clear();
    terminal.remove(bar);
}

/// What the spinner says, and since when it is so.
fn headline(view: &View) -> Option<(String, Millis)> {
    if let Some(gate) = &view.gate {
        return Some((named(view, &gate_words(gate)), gate.since));
    }
    let step = view.running()?;
    let doing = if step.state == Some(StepState::Undoing) { "Undoing: " } else { "" };
    let amount = view.bytes().map_or_else(String::new, |(done, total)| {
        format!(" {} of {}", text::bytes(done), text::bytes(total))
    });
    let moving = view.items.iter().filter(|item| !item.is_complete()).count();
    let more = match moving.saturating_sub(BARS_MAX) {
        0 => String::new(),
        more => format!(", {more} more"),
    };
    let title = text::one_line(&step.title.title);
    Some((named(view, &format!("{doing}{title}...{amount}{more}")), step.since))
}

/// Hosts of a fleet move side by side; there each line says whose it is.
fn named(view: &View, words: &str) -> String {
    if view.deployment.contains('/') {
        format!("{}: {words}", text::one_line(&view.deployment))
    } else {
        words.to_owned()
    }
}

/// The spinner appends how long it has been.
fn gate_words(gate: &GateView) -> String {
    let looks = match (gate.needed, gate.good) {
        (Some(needed), good) => format!("{good} of {needed} good looks"),
        (None, 1) => "1 good look".to_owned(),
        (None, good) => format!("{good} good looks"),
    };
    let seen = match text::brief(&gate.message) {
        seen if seen.is_empty() => seen,
        seen => format!(" ({seen})"),
    };
    format!("Waiting until the service proves itself{seen}... {looks},")
}

/// The line that stays when a step is over: its mark, its words, how long it took.
fn spoken(before: &View, event: &Event, colors: bool) -> Option<String> {
    let paint = |style: Style, mark: &str| style.force_styling(colors).apply_to(mark).to_string();
    let (check, cross) = (paint(Style::new().green(), "✓"), paint(Style::new().red().bold(), "✗"));
    match &event.kind {
        EventKind::Step { step, phase, title, state, message } => {
            let since = before.find(*phase, *step).map(|step: &StepView| step.since);
            let took = match since.map(|since| event.at.saturating_sub(since)) {
                Some(took_ms) => format!(" ({})", text::milliseconds(took_ms)),
                None => String::new(),
            };
            let title = named(before, &text::one_line(title));
            let why = message
                .as_deref()
                .map_or_else(String::new, |why| format!(": {}", text::brief(why)));
            match state {
                StepState::Started | StepState::Undoing => None,
                StepState::Done => Some(format!("{check} {title}{why}{took}")),
                StepState::Skipped => Some(format!("- {title} skipped{why}")),
                StepState::Failed => Some(format!("{cross} {title} failed{why}{took}")),
                StepState::Undone => Some(format!("{check} Undone: {title}{why}{took}")),
                StepState::Abandoned => Some(format!("- {title} left as it is{why}")),
            }
        }
        EventKind::Phase { phase } => {
            let gate = before.gate.as_ref()?;
            let waited = text::milliseconds(event.at.saturating_sub(gate.since));
            Some(if *phase == PhaseName::RollingBack {
                let words = named(before, "The service did not prove itself");
                format!("{cross} {words} ({waited}): {}", text::brief(&gate.message))
            } else {
                format!("{check} {} ({waited})", named(before, "The service proved itself"))
            })
        }
        EventKind::Warning { message, .. } => {
            let word = paint(Style::new().yellow(), "Warning:");
            Some(format!("{word} {}", named(before, &text::brief(message))))
        }
        _ => None,
    }
}

fn item_words(item: &ItemView) -> String {
    let words = text::one_line(&item.message);
    match (item.unit, item.total) {
        (Unit::Bytes, Some(total)) => {
            format!("{words} {} of {}", text::bytes(item.done), text::bytes(total))
        }
        (Unit::Bytes, None) => format!("{words} {}", text::bytes(item.done)),
        (Unit::Files, Some(total)) => format!("{words} {} of {total} files", item.done),
        (Unit::Files, None) => format!("{words} {} files", item.done),
        (Unit::Milliseconds, Some(total)) => {
            format!("{words} {} of {}", text::milliseconds(item.done), text::milliseconds(total))
        }
        (Unit::Milliseconds, None) => format!("{words} {}", text::milliseconds(item.done)),
    }
}

fn spinner_style(colors: bool) -> ProgressStyle {
    let yellow = Style::new().yellow().force_styling(colors);
    let frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
    let painted: Vec<String> =
        frames.iter().map(|frame| yellow.apply_to(frame).to_string()).collect();
    let painted: Vec<&str> = painted.iter().map(String::as_str).collect();
    template("{spinner} {msg} {elapsed}").tick_strings(&painted)
}

fn bar_style(item: &ItemView) -> ProgressStyle {
    let bar = if item.total.is_some() {
        "    {prefix:16!} [{bar:24}] {msg}"
    } else {
        "    {prefix:16!} {msg}"
    };
    template(bar).progress_chars("=> ")
}

/// The templates are constants of this file; one that does not parse shows in every test.
fn template(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::script;
    use indicatif::{InMemoryTerm, ProgressDrawTarget};

    /// Draws events and returns the screen after them, and the bytes that a colour would be in.
    fn screen(events: &[Event], colors: bool) -> (String, String) {
        let screen = InMemoryTerm::new(24, 100);
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let mut live = Live::new(MultiProgress::with_draw_target(target), colors);
        for event in events {
            live.on_event(event);
        }
        for (_, drawing) in live.operations.values() {
            drawing.spinner.iter().for_each(ProgressBar::disable_steady_tick);
            drawing.spinner.iter().for_each(ProgressBar::force_draw);
        }
        let formatted = String::from_utf8(screen.contents_formatted()).unwrap();
        (still(&screen.contents()), formatted)
    }

    /// Whatever the spinner's frame is, it stands still in a snapshot.
    fn still(screen: &str) -> String {
        let frames = ["⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        frames.iter().fold(screen.to_owned(), |screen, frame| screen.replace(frame, "⠋"))
    }

    #[test]
    fn a_pull_shows_its_layers() {
        insta::assert_snapshot!(screen(&script::committed_update()[..5], false).0, @r"
        ⠋ Pulling latest image... 3.0 MB of 10.0 MB 1s
            a1b2c3           [======>                 ] downloading 1.0 MB of 4.0 MB
            d4e5f6           [========>               ] downloading 2.0 MB of 6.0 MB
        ");
    }

    #[test]
    fn the_gate_counts_its_good_looks() {
        insta::assert_snapshot!(screen(&script::committed_update()[..16], false).0, @r"
        ✓ Pulling latest image (2.1 s)
        ✓ Stopping service (0.5 s)
        ✓ Starting new container (0.3 s)
        Warning: no probe is configured, only time can tell
        ⠋ Waiting until the service proves itself (HTTP 200)... 2 of 3 good looks, 2s
        ");
    }

    #[test]
    fn at_the_end_only_the_finished_lines_remain() {
        insta::assert_snapshot!(screen(&script::committed_update(), false).0, @r"
        ✓ Pulling latest image (2.1 s)
        ✓ Stopping service (0.5 s)
        ✓ Starting new container (0.3 s)
        Warning: no probe is configured, only time can tell
        ✓ The service proved itself (2 s)
        ");
    }

    #[test]
    fn going_back_is_told_step_by_step() {
        insta::assert_snapshot!(screen(&script::rolled_back_update(), false).0, @r"
        ✓ Pulling latest image (2.1 s)
        ✓ Stopping service (0.5 s)
        ✓ Starting new container (0.3 s)
        ✗ The service did not prove itself (1 min): connection refused
        - Starting new container left as it is: it is gone already
        ✓ Undone: Stopping service (0.5 s)
        ");
    }

    #[test]
    fn no_more_than_eight_bars_at_once() {
        let pulling = script::step(1, PhaseName::Staging, "Pulling", StepState::Started);
        let mut events = vec![script::event(0, pulling)];
        for layer in 0..20 {
            events.push(script::event(1, script::layer(&format!("layer{layer}"), 1, Some(1000))));
        }
        let (shown, _) = screen(&events, false);
        assert_eq!(shown.matches("downloading").count(), BARS_MAX, "{shown}");
        assert!(shown.contains("12 more"), "{shown}");
    }

    #[test]
    fn running_is_yellow_done_is_green_failed_is_red_and_all_are_words_too() {
        let events = script::committed_update();
        let running = screen(&events[..3], true).1;
        let done = screen(&events[..6], true).1;
        let mut failed = events[..3].to_vec();
        failed.push(script::event(
            900,
            EventKind::Step {
                step: 1,
                phase: PhaseName::Staging,
                title: "Pulling latest image".into(),
                state: StepState::Failed,
                message: Some("the registry refused".into()),
            },
        ));
        let (words, failed) = screen(&failed, true);
        assert!(running.contains("\u{1b}[33m"), "{running:?}");
        assert!(done.contains("\u{1b}[32m✓"), "{done:?}");
        assert!(failed.contains("31") && failed.contains('✗'), "{failed:?}");
        assert_eq!(words, "✗ Pulling latest image failed: the registry refused (0.9 s)");
    }

    #[test]
    fn without_colour_there_is_no_colour_in_what_is_drawn() {
        for events in [script::committed_update(), script::rolled_back_update()] {
            for end in 0..events.len() {
                let drawn = screen(&events[..end], false).1;
                assert!(!drawn.replace("\u{1b}[m", "").contains("\u{1b}[3"), "{drawn:?}");
            }
        }
    }

    #[test]
    fn an_abandoned_display_clears_what_moved() {
        let screen = InMemoryTerm::new(24, 100);
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let mut live = Live::new(MultiProgress::with_draw_target(target), false);
        script::committed_update()[..5].iter().for_each(|event| live.on_event(event));
        drop(live);
        assert_eq!(screen.contents(), "");
    }
}
