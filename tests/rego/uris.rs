//! References taken apart, and texts split into some of their parts, beside the real `opa`.

use crate::same;

const SCHEMES: [&str; 9] = ["http:", "HTTPS:", "mailto:", "a+b-c.d:", "1a:", "", ":", "urn:", "é:"];
const HOSTS: [&str; 34] = [
    "",
    "//",
    "//a",
    "//[::1]",
    "//[::1%25en0]:8",
    "//[::1%25]",
    "//[1.2.3.4]",
    "//[::ffff:1.2.3.4]",
    "//[::g]",
    "//[::1",
    "//a:b",
    "//a:80",
    "//a:",
    "//a:80:90",
    "//a:1,b:2",
    "//[::1]x",
    "//x[::1]",
    "//u@a",
    "//u:p@a:80",
    "//u@v@a",
    "//u%20:p%zz@a",
    "//u x@a",
    "//%41a",
    "//%C3%A9",
    "//%25a",
    "//a b",
    "//a'b",
    "//<a>",
    "//a^b",
    "//é.example",
    "//[v1.x]",
    "//[::1%25%41]",
    "//a%2Fb",
    "///a",
];
const PATHS: [&str; 24] = [
    "",
    "/",
    "/a/b",
    "/a%2Fb",
    "/a%2fb",
    "/a b",
    "/%20",
    "/%41",
    "/a%",
    "//b",
    "/é",
    "/a!b",
    "/*",
    "*",
    "/[a]",
    "/a:b@c=d&e+f$g;h,i",
    "/%3F",
    "a/b:c",
    "a:b",
    "/a?",
    "/a??",
    "/a?b=%zz#c%20d",
    "/%00#",
    "/%7E#a#b",
];

#[test]
fn a_reference_is_taken_apart_as_by_opa() {
    let text = |texts: &[&str]| serde_json::to_string(texts).expect("texts are JSON");
    let rules = format!(
        "package a\nall := {{concat(\"\", [scheme, host, path]) | some scheme in {}; some host in {}; some path in {}}}\n\
         valid := {{one: uri.is_valid(one) | some one in all}}\n\
         parts := {{one: uri.parse(one) | some one in all; valid[one]}}\n",
        text(&SCHEMES),
        text(&HOSTS),
        text(&PATHS)
    );
    same(&rules, "data.a.valid");
    same(&rules, "data.a.parts");
}

#[test]
fn a_text_is_split_into_its_first_or_last_parts_as_by_opa() {
    let rules = "package a\n\
                 texts := [\"\", \"a\", \"aaaaa\", \"a,b,,c\", \",\", \"é,ö\", \"ababa\"]\n\
                 parts := [strings.split_n(text, by, n) | some text in texts; some by in [\"\", \",\", \"a\", \"aa\", \"aba\"]; \
                 some n in [-9, -2, -1, 0, 1, 2, 3, 9, 9223372036854775807]]\n";
    same(rules, "data.a.parts");
}
