//! Columns aligned by what a terminal shows, without frames.

use super::text::width;

/// Rows under their headings. Columns in which no row has anything are left out.
#[derive(Debug)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// What stands between two columns.
const GAP: &str = "   ";

impl Table {
    /// A table without rows.
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Appends a row: a cell for each heading, in their order.
    pub fn push(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.headings.len());
        self.rows.push(cells);
    }

    /// The lines, each with its end.
    pub fn render(&self) -> String {
        let columns: Vec<usize> = (0..self.headings.len()).filter(|at| self.is_used(*at)).collect();
        let headings: Vec<String> = self.headings.iter().map(ToString::to_string).collect();
        // Each width once: a list may have thousands of rows.
        let columns: Vec<(usize, usize)> =
            columns.into_iter().map(|column| (column, self.width(column))).collect();
        std::iter::once(&headings).chain(&self.rows).map(|row| line(row, &columns) + "\n").collect()
    }

    fn is_used(&self, column: usize) -> bool {
        self.rows.iter().any(|row| !row[column].is_empty())
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].as_str());
        cells.chain([self.headings[column]]).map(width).max().unwrap_or(0)
    }
}

/// The cells of the columns, each padded to its column's width.
fn line(row: &[String], columns: &[(usize, usize)]) -> String {
    let mut line = String::new();
    for (column, wide) in columns {
        let cell = &row[*column];
        line.push_str(cell);
        let padding = wide.saturating_sub(width(cell));
        line.push_str(&" ".repeat(padding));
        line.push_str(GAP);
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_display_width_and_unused_ones_vanish() {
        let mut table = Table::new(&["NAME", "NOTE", "STATE"]);
        table.push(vec!["web".into(), String::new(), "idle".into()]);
        table.push(vec!["服务器".into(), String::new(), "stuck".into()]);
        insta::assert_snapshot!(table.render(), @r"
        NAME     STATE
        web      idle
        服务器   stuck
        ");
    }
}
