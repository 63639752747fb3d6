use std::fmt::Write as _;

use postern_policy::{Answer, Expression, Row};
use serde_json::{Map, Value, json};

use super::print;

/// What `opa eval --format json` prints; where it prints a profile, ours has the lines that were gone through.
pub(super) fn json(answer: &Answer, profile: bool) -> String {
    let mut said = Map::new();
    if !answer.rows.is_empty() {
        said.insert("result".into(), answer.rows.iter().map(row).collect());
    }
    if profile {
        said.insert("metrics".into(), metrics(answer));
        let line = |(file, line): &(String, u32)| json!({"location": {"file": file, "row": line, "col": 1}});
        said.insert("profile".into(), answer.lines.iter().map(line).collect());
    }
    print::lines(&said.into())
}

fn row(row: &Row) -> Value {
    let expression = |one: &Expression| json!({"value": one.value, "text": one.text, "location": {"row": one.line, "col": one.column}});
    let mut said =
        Map::from_iter([("expressions".to_owned(), row.expressions.iter().map(expression).collect())]);
    if !row.bindings.is_empty() {
        said.insert("bindings".into(), row.bindings.clone().into());
    }
    said.into()
}

fn metrics(answer: &Answer) -> Value {
    let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    json!({
        "timer_rego_module_compile_ns": nanos(answer.load),
        "timer_rego_query_eval_ns": nanos(answer.elapsed),
    })
}

/// One value by itself, anything else as a table.
pub(super) fn pretty(answer: &Answer, profile: bool) -> String {
    let mut text = match answer.rows.as_slice() {
        [] => "undefined\n".to_owned(),
        [Row { expressions, bindings }] if expressions.len() == 1 && bindings.is_empty() => {
            expressions.iter().map(|expression| print::lines(&expression.value)).collect()
        }
        rows => table(rows),
    };
    if profile {
        let _written = writeln!(
            text,
            "\nload {}, answer {}",
            print::duration(answer.load),
            print::duration(answer.elapsed)
        );
        for (file, line) in &answer.lines {
            let _written = writeln!(text, "{file}:{line}");
        }
    }
    text
}

/// A column for each variable, or for each expression where there are no variables.
fn table(rows: &[Row]) -> String {
    let cells = |row: &Row| -> Vec<(String, String)> {
        if row.bindings.is_empty() {
            return row.expressions.iter().map(|one| (one.text.clone(), one.value.to_string())).collect();
        }
        let mut cells: Vec<(String, String)> =
            row.bindings.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        cells.sort();
        cells
    };
    let rows: Vec<Vec<(String, String)>> = rows.iter().map(cells).collect();
    let header: Vec<String> = rows.first().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.flat_map(|(name, value)| [name, value]).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |left: &str, middle: &str, right: &str| {
        let bars: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        format!("{left}{}{right}\n", bars.join(middle))
    };
    let mut text = line("┌", "┬", "┐");
    let head: Vec<String> =
        header.iter().zip(&widths).map(|(name, width)| format!(" {name:^width$} ")).collect();
    let _written = writeln!(text, "│{}│", head.join("│"));
    text += &line("├", "┼", "┤");
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|((_, value), width)| format!(" {value:<width$} ")).collect();
        let _written = writeln!(text, "│{}│", cells.join("│"));
    }
    text + &line("└", "┴", "┘")
}

/// A list for each answer.
pub(super) fn values(answer: &Answer) -> String {
    let list = |row: &Row| row.expressions.iter().map(|expression| expression.value.clone()).collect();
    answer.rows.iter().map(|row| print::lines(&list(row))).collect()
}

/// A line for each answer, for scripts.
pub(super) fn raw(answer: &Answer) -> String {
    let word = |expression: &Expression| match &expression.value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let line = |row: &Row| row.expressions.iter().map(word).collect::<Vec<_>>().join(" ") + "\n";
    answer.rows.iter().map(line).collect()
}

/// An object of variables for each answer.
pub(super) fn bindings(answer: &Answer) -> String {
    answer.rows.iter().map(|row| print::lines(&row.bindings.clone().into())).collect()
}

/// That there is an answer, where there is one.
pub(super) fn discard(answer: &Answer) -> String {
    print::lines(&if answer.rows.is_empty() { json!({}) } else { json!({"result": "discarded"}) })
}
