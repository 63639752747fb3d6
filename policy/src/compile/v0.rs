//! What is told of a module of Rego v0.

use regorus::Engine;

use crate::problem::{Problem, Said, column};
use crate::slips;
use crate::translate::Translated;

/// Most bodies of Rego v0 that are told of a module; each is read for by itself.
const BODIES: usize = 20;

/// The bodies of Rego v0 behind the first, which is all that the engine says: each is found by writing what the one
/// before it lacks.
pub(super) fn other_bodies(engine: &Engine, name: &str, text: &Translated, first: &Problem) -> Vec<Problem> {
    let mut others: Vec<Problem> = Vec::new();
    let mut lines: Vec<String> = text.text.lines().map(str::to_owned).collect();
    let (mut line, mut written) = (first.line, 0);
    let (mut at, mut is_v0) = (first.column, first.why.contains(slips::V0));
    while is_v0 && others.len() + 1 < BODIES {
        let index = usize::try_from(line).unwrap_or_default().saturating_sub(1);
        let Some(here) = lines.get_mut(index) else { break };
        let before = usize::try_from(at).unwrap_or_default().saturating_sub(1);
        let begin = here.char_indices().nth(before).map_or(here.len(), |(begin, _)| begin);
        here.insert_str(begin, IF);
        written += IF.len();
        let edited = lines.join("\n");
        let Err(error) = engine.clone().add_policy(name.to_owned(), edited.clone()) else { break };
        let message = error.to_string();
        let said = Said::of(&message);
        let Some((_, next, engines)) = said.place else { break };
        is_v0 = said.why.starts_with(slips::V0);
        // What is read otherwise now may be wrong for that alone.
        if !is_v0 || next < line {
            break;
        }
        if next > line {
            written = 0;
        }
        (line, at) = (next, body_of_else(&edited, next, column(&edited, next, engines)));
        let instead = slips::instead(said.why, &edited, (line, at));
        let here = at.saturating_sub(u32::try_from(written).unwrap_or_default());
        let problem = Problem { why: first.why.clone(), instead, ..Problem::of(name, "rego", "", "") };
        others.push(problem.at(line, here, &text.text));
    }
    others
}

/// Where the body is of an `else` in this place, which is what the engine points at.
fn body_of_else(text: &str, line: u32, column: u32) -> u32 {
    let number = |number: u32| usize::try_from(number).unwrap_or_default().saturating_sub(1);
    let rest = text.lines().nth(number(line)).unwrap_or_default().chars().skip(number(column));
    let rest: String = rest.collect();
    let body = rest.chars().position(|c| c == '{').filter(|_| rest.starts_with("else"));
    column + u32::try_from(body.unwrap_or_default()).unwrap_or_default()
}

/// What a body of Rego v0 lacks.
const IF: &str = "if ";
