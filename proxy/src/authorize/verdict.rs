//! What the policy answered, made into a grant or a denial. Whatever the proxy cannot honour is a denial.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use postern_policy::{Allowance, Cause, DenyResponse, Refusal};

use super::grant::{Denial, Grant, HeaderEdits, Reply};
use super::load::LoadedPolicy;
use super::request::Request;
use crate::config::{Login, Route};
use crate::fault::{Code, codes};
use crate::live::Versioned;
use crate::model::{CredentialName, DecisionId};
use crate::record::DecisionFacts;

/// A yes becomes a grant, unless it asks for what the route does not permit.
pub(super) fn grant(
    mut allowance: Allowance,
    request: &Request<'_>,
    policy: &Versioned<LoadedPolicy>,
) -> Result<(Grant, DecisionFacts), Box<Denial>> {
    let mut decision = facts(policy, true, allowance.us);
    decision.rule = allowance.rule.take();
    decision.reason = allowance.reason.take();
    decision.record = kept(std::mem::take(&mut allowance.record));
    let generation = policy.generation;
    let (credential, headers) = match permitted(&allowance, request.route) {
        Ok(permitted) => permitted,
        Err(code) => {
            return Err(Box::new(Denial { code, decision: refused(decision), reply: None, generation }));
        }
    };
    let (max_age, until) = (allowance.max_age, allowance.until);
    Ok((Grant { credential, max_age, until, headers, generation }, decision))
}

/// A no, or an answer that did not come about.
pub(super) fn denial(refusal: Refusal, policy: &Versioned<LoadedPolicy>) -> Denial {
    let code = code(&refusal.cause);
    if refusal.cause != Cause::Policy {
        tracing::warn!(code = code.id, cause = %refusal.cause, "policy gave no decision");
    }
    let mut decision = facts(policy, false, refusal.us);
    decision.rule = refusal.rule;
    // The engine's own words stand in the record, where an operator looks for them; never in the answer.
    decision.reason =
        refusal.reason.or_else(|| (refusal.cause != Cause::Policy).then(|| refusal.cause.to_string()));
    decision.record = kept(refusal.record);
    Denial { code, decision, reply: refusal.deny.map(reply), generation: policy.generation }
}

/// No policy has arrived that could have said anything.
pub(super) fn absent(policy: &Versioned<LoadedPolicy>) -> Denial {
    let decision = facts(policy, false, 0);
    Denial { code: codes::POLICY_ABSENT, decision, reply: None, generation: policy.generation }
}

/// The code of a request that policy did not allow.
pub(crate) const fn code(cause: &Cause) -> &'static Code {
    match cause {
        Cause::Policy => codes::POLICY_DENIED,
        Cause::Conflict { .. } => codes::POLICY_CONFLICT,
        Cause::Late { .. } => codes::POLICY_LATE,
        Cause::Panic => codes::POLICY_PANIC,
        Cause::Oversize { .. } => codes::POLICY_OVERSIZE,
        Cause::BadDecision { .. } => codes::DECISION_MALFORMED,
        // A builtin's error, depth, a missing value (which the gate rules out) and whatever a later engine adds.
        _ => codes::POLICY_ERROR,
    }
}

/// What a route gives to a yes; or the code of what it does not permit.
pub(crate) fn permitted(
    allowance: &Allowance,
    route: &Route,
) -> Result<(Option<CredentialName>, HeaderEdits), &'static Code> {
    let credential = credential(allowance.credential.as_deref(), &route.credentials)?;
    Ok((credential, edits(allowance, route).ok_or(codes::DECISION_MALFORMED)?))
}

/// The named credential if it is permitted; the only one if none is named.
fn credential(
    named: Option<&str>,
    permitted: &[CredentialName],
) -> Result<Option<CredentialName>, &'static Code> {
    match (named, permitted) {
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some(only.clone())),
        (None, _several) => Err(codes::CREDENTIAL_NOT_PERMITTED),
        (Some(named), _) => {
            let found = permitted.iter().find(|name| name.as_str() == named).cloned();
            found.map(Some).ok_or(codes::CREDENTIAL_NOT_PERMITTED)
        }
    }
}

/// The decision's header edits, or `None` where it reaches for a header that is not its own to change.
fn edits(allowance: &Allowance, route: &Route) -> Option<HeaderEdits> {
    let mut edits = HeaderEdits::default();
    for (name, values) in &allowance.set {
        let name = editable(name, route)?;
        let values = values.iter().map(|value| HeaderValue::from_str(value).ok()).collect::<Option<_>>()?;
        edits.set.push((name, values));
    }
    for name in &allowance.remove {
        edits.remove.push(editable(name, route)?);
    }
    Some(edits)
}

/// A header as HTTP has it, but for the one in which the credential goes.
fn editable(name: &str, route: &Route) -> Option<HeaderName> {
    let name: HeaderName = name.parse().ok()?;
    let injected = matches!(&route.upstream.login, Some(Login::Header(place)) if *place == name);
    (!injected).then_some(name)
}

fn reply(deny: DenyResponse) -> Reply {
    let mut headers = Vec::new();
    for (name, values) in deny.headers {
        let Ok(name) = name.parse::<HeaderName>() else { continue };
        headers.extend(
            values.iter().filter_map(|value| Some((name.clone(), HeaderValue::from_str(value).ok()?))),
        );
    }
    Reply { status: deny.status, headers, body: deny.body, contact: None }
}

fn facts(policy: &Versioned<LoadedPolicy>, allow: bool, us: u64) -> DecisionFacts {
    DecisionFacts {
        id: DecisionId::random(),
        allow,
        rule: None,
        reason: None,
        policy: Arc::clone(&policy.value.revisions),
        us,
        memo: false,
        record: None,
        input: None,
    }
}

fn refused(mut decision: DecisionFacts) -> DecisionFacts {
    decision.allow = false;
    decision
}

fn kept(record: serde_json::Map<String, serde_json::Value>) -> Option<serde_json::Value> {
    (!record.is_empty()).then_some(serde_json::Value::Object(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_panicked_is_a_denial_that_only_we_can_mend() {
        assert_eq!(code(&Cause::Panic).id, "PST-AZ-014");
        assert_eq!(code(&Cause::Panic).owner, crate::fault::Owner::Postern);
    }
}
