//! `urlquery.encode` and `urlquery.encode_object`.

use crate::same;

#[test]
fn queries_are_written_as_opa_writes_them() {
    let module = r##"package a
ascii := " !\"#$%&'()*+,-./0123456789:;<=>?@ABCXYZ[\\]^_`abcxyz{|}~\u007f\u0001é€😀"
encoded := urlquery.encode(ascii)
empty := urlquery.encode("")
object := urlquery.encode_object({"~*": "~*", "b": ["2", "1", ""], "a b": {"y", "x"}, "none": [], "": "é&="})
nothing := urlquery.encode_object({})
"##;
    same(module, "data.a");
}
