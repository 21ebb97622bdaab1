//! Samples, and the table of what they say.

/// What was measured again and again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// The middle one; of an even number the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        match sorted.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => sorted[count / 2],
            count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
        }
    }

    fn largest(&self) -> f64 {
        self.sorted().last().copied().unwrap_or(f64::NAN)
    }

    /// Each sample in relation to the one that was taken beside it.
    pub(crate) fn each(&self, other: &Self, relate: impl Fn(f64, f64) -> f64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, it)| relate(*one, *it)).collect())
    }

    /// `477 (471-490)`: median, smallest, largest.
    pub(crate) fn text(&self) -> String {
        let sorted = self.sorted();
        let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
            return "nothing was measured".to_owned();
        };
        format!("{} ({}-{})", number(self.median()), number(*first), number(*last))
    }
}

/// Three digits that mean something.
fn number(value: f64) -> String {
    match value.abs() {
        it if it >= 100.0 => format!("{value:.0}"),
        it if it >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// What a figure should be at most.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// The median.
    AtMost(f64),
    /// Each single sample: what is counted is no matter of how busy the machine is.
    Always(f64),
    /// Only shown.
    Shown,
}

#[derive(Debug, Default)]
pub(crate) struct Table(Vec<[String; 4]>);

impl Table {
    /// Adds a line; `unit` is that of samples and goal.
    pub(crate) fn line(&mut self, what: &str, unit: &str, goal: Goal, samples: &Samples) {
        let (goal, reached) = match goal {
            Goal::Shown => (String::new(), ""),
            Goal::AtMost(most) | Goal::Always(most) => {
                let judged = if matches!(goal, Goal::Always(_)) {
                    samples.largest()
                } else {
                    samples.median()
                };
                let is_reached = judged <= most;
                (format!("{} {unit}", number(most)), if is_reached { "reached" } else { "MISSED" })
            }
        };
        let measured = format!("{} {unit}", samples.text());
        eprintln!("  {what}: {measured}");
        self.0.push([what.to_owned(), measured, goal, reached.to_owned()]);
    }

    pub(crate) fn print(&self) {
        let head = ["what", "median (smallest-largest)", "goal", ""].map(str::to_owned);
        let rows: Vec<&[String; 4]> = std::iter::once(&head).chain(&self.0).collect();
        let width = |column: usize| {
            rows.iter().map(|it| it[column].chars().count()).max().unwrap_or_default()
        };
        let widths = [width(0), width(1), width(2)];
        for row in rows {
            let cells = (0..3).map(|it| format!("{:<1$}", row[it], widths[it]));
            let line = format!("{}  {}", cells.collect::<Vec<_>>().join("  "), row[3]);
            println!("{}", line.trim_end());
        }
    }
}
