use std::fs;

use super::root;

#[test]
fn every_decision_page_says_context_choice_cost_and_what_would_change_it() {
    let pages: Vec<_> = fs::read_dir(root().join("proxy/docs/decisions")).unwrap().flatten().collect();
    assert!(pages.len() >= 5);
    for page in pages {
        let text = fs::read_to_string(page.path()).unwrap();
        for part in ["**Context.**", "**Choice.**", "**Cost.**", "**What would change our mind.**"] {
            assert!(text.contains(part), "{} lacks {part}", page.path().display());
        }
    }
}
