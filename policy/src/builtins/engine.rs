//! What the engine answers itself, as it is or once the size of its arguments is known.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{ANY, BOOL, GROUPS, LIST, LISTS, NUMBER, OBJECT, SET, TEXT, TEXTS, TIME};
use super::{weigh, zone};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("__builtin_sets.intersection", &[SET, SET], SET, By::Guard(weigh::linear)).said("&"),
    Builtin::new("__builtin_sets.union", &[SET, SET], SET, By::Guard(weigh::linear)).said("|"),
    Builtin::new("abs", &[NUMBER], NUMBER, By::Engine),
    Builtin::new("array.concat", &[LIST, LIST], LIST, By::Guard(weigh::linear)),
    Builtin::new("array.reverse", &[LIST], LIST, By::Guard(weigh::linear)),
    Builtin::new("base64.encode", &[TEXT], TEXT, By::Guard(weigh::linear)),
    Builtin::new("base64url.encode", &[TEXT], TEXT, By::Guard(weigh::linear)),
    Builtin::new("base64url.encode_no_pad", &[TEXT], TEXT, By::Guard(weigh::linear)),
    Builtin::new("contains", &[TEXT, TEXT], BOOL, By::Guard(weigh::linear)),
    Builtin::new("endswith", &[TEXT, TEXT], BOOL, By::Engine),
    Builtin::new("graph.reachable", &[OBJECT, LISTS], SET, By::Guard(weigh::deep)),
    Builtin::new("hex.encode", &[TEXT], TEXT, By::Guard(weigh::linear)),
    Builtin::new("intersection", &[SET], SET, By::Guard(weigh::deep)),
    Builtin::new("is_array", &[ANY], BOOL, By::Engine),
    Builtin::new("is_boolean", &[ANY], BOOL, By::Engine),
    Builtin::new("is_null", &[ANY], BOOL, By::Engine),
    Builtin::new("is_number", &[ANY], BOOL, By::Engine),
    Builtin::new("is_object", &[ANY], BOOL, By::Engine),
    Builtin::new("is_set", &[ANY], BOOL, By::Engine),
    Builtin::new("is_string", &[ANY], BOOL, By::Engine),
    Builtin::new("object.filter", &[OBJECT, GROUPS], OBJECT, By::Guard(weigh::linear)),
    Builtin::new("object.get", &[OBJECT, ANY, ANY], ANY, By::Engine),
    Builtin::new("object.keys", &[OBJECT], SET, By::Guard(weigh::linear)),
    Builtin::new("object.remove", &[OBJECT, GROUPS], OBJECT, By::Guard(weigh::linear)),
    Builtin::new("object.union", &[OBJECT, OBJECT], OBJECT, By::Guard(weigh::deep)),
    Builtin::new("startswith", &[TEXT, TEXT], BOOL, By::Engine),
    Builtin::new("strings.any_prefix_match", &[TEXTS, TEXTS], BOOL, By::Guard(weigh::product)),
    Builtin::new("strings.any_suffix_match", &[TEXTS, TEXTS], BOOL, By::Guard(weigh::product)),
    Builtin::new("strings.reverse", &[TEXT], TEXT, By::Guard(weigh::linear)),
    Builtin::new("time.clock", &[TIME], LIST, By::Guard(zone::known)),
    Builtin::new("time.date", &[TIME], LIST, By::Guard(zone::known)),
    Builtin::new("time.weekday", &[TIME], TEXT, By::Guard(zone::known)),
    Builtin::new("trace", &[TEXT], BOOL, By::Ours(|_| Ok(Value::from(true)))),
    Builtin::new("trim", &[TEXT, TEXT], TEXT, By::Guard(weigh::product)),
    Builtin::new("trim_left", &[TEXT, TEXT], TEXT, By::Guard(weigh::product)),
    Builtin::new("trim_prefix", &[TEXT, TEXT], TEXT, By::Engine),
    Builtin::new("trim_right", &[TEXT, TEXT], TEXT, By::Guard(weigh::product)),
    Builtin::new("trim_space", &[TEXT], TEXT, By::Engine),
    Builtin::new("trim_suffix", &[TEXT, TEXT], TEXT, By::Engine),
    Builtin::new("type_name", &[ANY], TEXT, By::Engine),
    Builtin::new("union", &[SET], SET, By::Guard(weigh::deep)),
    Builtin::new("walk", &[ANY], LIST, By::Guard(weigh::walked)),
];
