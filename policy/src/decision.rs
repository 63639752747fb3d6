//! What a decision may be: the schema for authors and the check of rule heads; what it means is read in
//! [`crate::verdict`].

use crate::kind::{Kind, Member, TEXTS, member};

/// The object that a decision is, where it is more than `true` or `false`.
pub(crate) const DECISION: Kind = Kind::Object(MEMBERS);

const MEMBERS: &[Member] = &[
    member("allow", Kind::Bool, "Whether the request is forwarded; must be there."),
    member("rule", Kind::Text, "Name of the rule that decided, for the record."),
    member("reason", Kind::Text, "Why, for the record."),
    member("record", Kind::Map(&Kind::Any), "Members for the record."),
    member("credential", Kind::Text, "Where it allows: which of the route's credentials is used."),
    member("max_age", Kind::Number, "Where it allows: seconds that a lease may be old."),
    member(
        "until",
        Kind::Number,
        "Where it allows: when access ends, in Unix seconds, before the year 10000.",
    ),
    member("headers", Kind::Object(HEADERS), "Where it allows: changes to the forwarded request."),
    member("deny", Kind::Object(DENY), "Where it does not allow: what the caller is told."),
];
const HEADERS: &[Member] = &[
    member("set", Kind::Map(&TEXTS), "Headers to set, each a list of values."),
    member("remove", TEXTS, "Names of headers to remove."),
];
const DENY: &[Member] = &[
    member("status", Kind::Number, "HTTP status, 400 to 599."),
    member("headers", Kind::Map(&TEXTS), "Response headers, each a list of values."),
    member("body", Kind::Text, "Response body."),
];
