//! A recorded decision, judged again with the policy at hand.

use std::collections::BTreeMap;

use postern_policy::{AskError, Document, Explanation, Kept, Verdict, explain};
use serde_json::{Value, json};

use super::part;
use crate::authorize;
use crate::command::at_hand::{AtHand, PATIENCE};
use crate::command::reasons;
use crate::fault::codes;

/// What a record says of its decision.
pub(in crate::command) struct Recorded {
    pub(in crate::command) allow: bool,
    pub(in crate::command) rule: Option<String>,
    pub(in crate::command) reason: Option<String>,
    pub(in crate::command) code: Option<String>,
    policy: BTreeMap<String, String>,
    /// What was kept of the input, if anything was.
    pub(in crate::command) input: Option<Kept>,
}

impl Recorded {
    /// The decision of a record; none where policy was not asked.
    pub(in crate::command) fn of(record: &Value) -> Option<Self> {
        let decision = record.get("decision")?;
        let text = |name: &str| decision.get(name).and_then(Value::as_str).map(str::to_owned);
        let revisions = decision.get("policy").cloned().unwrap_or_default();
        Some(Self {
            allow: decision.get("allow")?.as_bool()?,
            rule: text("rule"),
            reason: text("reason"),
            code: part(record, "/code").as_str().map(str::to_owned),
            policy: serde_json::from_value(revisions).unwrap_or_default(),
            input: decision.get("input").and_then(|kept| serde_json::from_value(kept.clone()).ok()),
        })
    }

    /// Whether policy said yes to it and asked for what cannot be had.
    fn beyond_policy(&self) -> bool {
        let beyond = [codes::CREDENTIAL_NOT_PERMITTED.id, codes::DECISION_MALFORMED.id];
        self.code.as_deref().is_some_and(|code| beyond.contains(&code))
    }
}

/// A recorded decision, judged again.
pub(super) struct Again {
    explanation: Explanation,
    /// Whether it allows or denies as it was recorded to, and whether rule and reason are the ones recorded.
    same: (bool, bool),
    /// What may make it another one, in words.
    notes: Vec<String>,
}

/// Judges a recorded decision again; or why it cannot be.
pub(super) fn again(recorded: &Recorded, at_hand: &AtHand) -> Result<Again, String> {
    let kept = recorded
        .input
        .as_ref()
        .ok_or("the record holds no input: `records.input.of` says of which it is kept")?;
    let document =
        Document::from_json(&kept.document).map_err(|error| format!("the recorded input: {error}"))?;
    let now = kept.document.get("now").and_then(Value::as_u64);
    let explanation = explain(&at_hand.sources, &at_hand.entrypoint, document, now, PATIENCE);
    let explanation = explanation.map_err(|error| match error {
        AskError::Refused(error) => format!("the policy would not be loaded:\n{error}"),
        AskError::Failed(cause) => cause.to_string(),
    })?;
    let words = |rule, reason| (rule, reason) == (&recorded.rule, &recorded.reason);
    let same = match &explanation.verdict {
        // The refusal has words of its own.
        Verdict::Allow(yes) if recorded.beyond_policy() => (!recorded.allow, yes.rule == recorded.rule),
        Verdict::Allow(yes) => (recorded.allow, words(&yes.rule, &yes.reason)),
        Verdict::Deny(no) if no.cause == postern_policy::Cause::Policy => {
            (!recorded.allow, words(&no.rule, &no.reason))
        }
        // An error has neither, but a code of its own.
        Verdict::Deny(no) => {
            (!recorded.allow, recorded.code.as_deref() == Some(authorize::code(&no.cause).id))
        }
    };
    Ok(Again { explanation, same, notes: notes(recorded, kept, at_hand) })
}

fn notes(recorded: &Recorded, kept: &Kept, at_hand: &AtHand) -> Vec<String> {
    let mut notes = at_hand.notes.clone();
    if !at_hand.is(&recorded.policy) {
        let named =
            |revisions: &BTreeMap<String, String>| revisions.values().cloned().collect::<Vec<_>>().join(", ");
        notes.push(format!(
            "the policy is another: revision {} here, {} in the record",
            named(&at_hand.revisions),
            named(&recorded.policy)
        ));
    }
    if !kept.masked.is_empty() {
        notes.push(format!(
            "masked in the record, so that what reads it may answer otherwise: {} (records.input.show)",
            kept.masked.join(", ")
        ));
    }
    if !kept.shortened.is_empty() {
        notes.push(format!(
            "shortened in the record, so that what reads it may answer otherwise: {} (records.input.most)",
            kept.shortened.join(", ")
        ));
    }
    notes
}

impl Again {
    /// Whether it did not come to a decision.
    fn fails(&self) -> bool {
        matches!(&self.explanation.verdict, Verdict::Deny(no) if no.cause != postern_policy::Cause::Policy)
    }

    /// For people.
    pub(super) fn text(&self, text: &mut String) {
        let same = match self.same {
            (true, true) => "as recorded",
            (true, false) if self.fails() => {
                "denied as recorded, but by an ERROR that the record does not have"
            }
            (true, false) => "as recorded, by ANOTHER rule or reason",
            (false, _) => "NOT as recorded",
        };
        let said = format!("{same}: {}", reasons::verdict(&self.explanation.verdict));
        reasons::line(text, "judged anew", &said);
        for note in &self.notes {
            reasons::line(text, "note", note);
        }
        text.push_str(&reasons::text(&self.explanation));
    }

    /// For machines.
    pub(super) fn json(&self) -> Value {
        let mut json = reasons::json(&self.explanation);
        if let Some(members) = json.as_object_mut() {
            members.insert("as_recorded".to_owned(), json!(self.same == (true, true)));
            members.insert("verdict_as_recorded".to_owned(), json!(self.same.0));
            members.insert("rule_and_reason_as_recorded".to_owned(), json!(self.same.1));
            members.insert("notes".to_owned(), json!(self.notes));
        }
        json
    }
}

#[cfg(test)]
mod tests;
