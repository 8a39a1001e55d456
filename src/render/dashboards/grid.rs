//! `"size": [12, 8]`: panels are placed side by side and wrapped like words, on lines of 24 columns.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The number of rows of a table by the kind of its rows: `"size": [24, "hosts"]`.
pub(super) type Rows = BTreeMap<&'static str, u64>;

/// Rows of Grafana's grid for the title, the header and the margins of a table. A row of a table is a little lower than
/// one of the grid.
const TABLE_HEAD: u64 = 3;
/// The minimum and maximum height in rows: a longer table scrolls, a shorter one looks squeezed.
const TABLE_ROWS: std::ops::RangeInclusive<u64> = 2..=10;

/// The columns of Grafana's grid.
const COLUMNS: u64 = 24;

/// Where the next panel goes.
pub(super) struct Grid<'a> {
    rows: &'a Rows,
    x: u64,
    y: u64,
    /// The height of the highest panel of this line.
    height: u64,
}

impl<'a> Grid<'a> {
    pub(super) const fn new(rows: &'a Rows) -> Self {
        Self { rows, x: 0, y: 0, height: 0 }
    }

    /// The grid of the panels in a closed row, which begin below it, where the next row goes, too.
    pub(super) const fn below(&self) -> Self {
        Self { rows: self.rows, x: 0, y: self.y + self.height, height: 0 }
    }

    /// Replaces a panel's `size` by its place. A row takes its own line. A panel with a place keeps it and uses no
    /// room in the grid.
    pub(super) fn place(&mut self, panel: &mut Map<String, Value>) -> Result<(), String> {
        let size = panel.shift_remove("size");
        if panel.contains_key("gridPos") {
            return Ok(());
        }
        let (width, height) = match &size {
            Some(size) => {
                self.sides(size).ok_or_else(|| format!("{size} is not a size: write [width, height]"))?
            }
            None if panel.get("type") == Some(&json!("row")) => (COLUMNS, 1),
            None => {
                return Err(format!("the panel {} has no size", panel.get("title").unwrap_or(&Value::Null)));
            }
        };
        if self.x + width > COLUMNS {
            self.x = 0;
            self.y += std::mem::take(&mut self.height);
        }
        panel.insert("gridPos".into(), json!({"h": height, "w": width, "x": self.x, "y": self.y}));
        self.x += width;
        self.height = self.height.max(height);
        Ok(())
    }

    fn sides(&self, size: &Value) -> Option<(u64, u64)> {
        let [width, height] = size.as_array()?.as_slice() else { return None };
        let height = match height.as_str() {
            Some(of) => TABLE_HEAD + self.rows.get(of)?.clamp(TABLE_ROWS.start(), TABLE_ROWS.end()),
            None => height.as_u64()?,
        };
        let width = width.as_u64()?;
        ((1..=COLUMNS).contains(&width) && height > 0).then_some((width, height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(panels: &[Value]) -> Vec<[u64; 4]> {
        let rows = Rows::from([("hosts", 3)]);
        let mut grid = Grid::new(&rows);
        let place = |panel: &Value| {
            let mut panel = panel.as_object().unwrap().clone();
            grid.place(&mut panel).unwrap();
            assert!(!panel.contains_key("size"));
            ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap())
        };
        panels.iter().map(place).collect()
    }

    #[test]
    fn panels_fill_lines_and_a_row_has_its_own_line() {
        let (wide, high, row) = (json!({"size": [16, 4]}), json!({"size": [8, 6]}), json!({"type": "row"}));
        assert_eq!(
            places(&[wide.clone(), high.clone(), high, row, wide]),
            [[0, 0, 16, 4], [16, 0, 8, 6], [0, 6, 8, 6], [0, 12, 24, 1], [0, 13, 16, 4]]
        );
    }

    #[test]
    fn a_table_is_as_high_as_its_rows() {
        assert_eq!(places(&[json!({"size": [24, "hosts"]})]), [[0, 0, 24, 6]]);
    }

    #[test]
    fn a_panel_that_has_a_place_keeps_it() {
        assert_eq!(places(&[json!({"gridPos": {"x": 1, "y": 2, "w": 3, "h": 4}})]), [[1, 2, 3, 4]]);
    }

    #[test]
    fn an_invalid_size_is_reported() {
        for size in [json!([25, 1]), json!([0, 1]), json!([1]), json!("12x8"), json!([1, "h"])] {
            let mut panel = Map::from_iter([("size".to_owned(), size.clone())]);
            assert!(Grid::new(&Rows::new()).place(&mut panel).unwrap_err().contains(&size.to_string()));
        }
        let mut panel = Map::from_iter([("title".to_owned(), json!("CPU"))]);
        assert_eq!(Grid::new(&Rows::new()).place(&mut panel).unwrap_err(), r#"the panel "CPU" has no size"#);
    }
}
