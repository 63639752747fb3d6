use postern_policy::{Answer, Expression, ProfiledLine, Row};
use serde_json::{Map, Value, json};

use super::super::{covered, print};
use super::profile;

/// What `opa eval --format json` prints.
pub(super) fn json(answer: &Answer, metrics: bool, profile: Option<&[ProfiledLine]>) -> String {
    let mut said = Map::new();
    if !answer.rows.is_empty() {
        said.insert("result".into(), answer.rows.iter().map(row).collect());
    }
    if metrics {
        said.insert("metrics".into(), self::metrics(answer).into_iter().collect());
    }
    if let Some(profile) = profile {
        said.insert("profile".into(), profile::json(profile));
    }
    if let Some(coverage) = &answer.lines {
        said.insert("coverage".into(), covered::json(coverage));
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

/// Names and nanoseconds, as OPA has them.
fn metrics(answer: &Answer) -> [(String, Value); 2] {
    let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    [
        ("timer_rego_module_compile_ns".to_owned(), nanos(answer.load).into()),
        ("timer_rego_query_eval_ns".to_owned(), nanos(answer.elapsed).into()),
    ]
}

/// One value by itself, anything else as a table; and tables of what else is asked for.
pub(super) fn pretty(
    answer: &Answer,
    metrics: bool,
    query: &str,
    profile: Option<&[ProfiledLine]>,
) -> String {
    let mut text = match answer.rows.as_slice() {
        [] => "undefined\n".to_owned(),
        [Row { expressions, bindings }] if expressions.len() == 1 && bindings.is_empty() => {
            expressions.iter().map(|expression| print::lines(&expression.value)).collect()
        }
        rows => answers(rows),
    };
    if metrics {
        let rows = self::metrics(answer).map(|(name, nanos)| vec![name, nanos.to_string()]);
        text += &table(&["Metric", "Value"], &rows);
    }
    if let Some(profile) = profile {
        text += &profile::pretty(profile, query);
    }
    if let Some(coverage) = &answer.lines {
        text += &print::lines(&covered::json(coverage));
    }
    text
}

/// A column for each expression, and for each variable; beside variables none for an expression that is true or false,
/// as OPA has it.
fn answers(rows: &[Row]) -> String {
    let bound = rows.iter().any(|row| !row.bindings.is_empty());
    let first = rows.first().map_or(&[][..], |row| row.expressions.as_slice());
    let told: Vec<bool> = first.iter().map(|one| !(bound && one.value.is_boolean())).collect();
    let cells = |row: &Row| -> Vec<(String, String)> {
        let expressions = row.expressions.iter().zip(&told).filter(|(_, told)| **told);
        let mut variables: Vec<(String, String)> =
            row.bindings.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        variables.sort();
        expressions.map(|(one, _)| (one.text.clone(), one.value.to_string())).chain(variables).collect()
    };
    let rows: Vec<(Vec<String>, Vec<String>)> =
        rows.iter().map(|row| cells(row).into_iter().unzip()).collect();
    let header: Vec<&str> =
        rows.first().into_iter().flat_map(|(names, _)| names).map(String::as_str).collect();
    let values: Vec<Vec<String>> = rows.iter().map(|(_, values)| values.clone()).collect();
    table(&header, &values)
}

/// A table as OPA draws it.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |(column, name): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
        cells.chain([*name]).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = header.iter().enumerate().map(width).collect();
    let line = |left: &str, middle: &str, right: &str| {
        let bars: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        format!("{left}{}{right}\n", bars.join(middle))
    };
    let row = |cells: Vec<String>| format!("│{}│\n", cells.join("│"));
    let mut text = line("┌", "┬", "┐");
    text += &row(header.iter().zip(&widths).map(|(name, width)| format!(" {name:^width$} ")).collect());
    text += &line("├", "┼", "┤");
    for cells in rows {
        text += &row(cells.iter().zip(&widths).map(|(value, width)| format!(" {value:<width$} ")).collect());
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
