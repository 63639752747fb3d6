//! The README's first command, as it stands there.

use std::process::Command;

#[test]
fn the_tour_goes_as_told() {
    let tour = Command::new(env!("CARGO_BIN_EXE_postern-lab")).output().unwrap();

    let (told, wrong) = (String::from_utf8_lossy(&tour.stdout), String::from_utf8_lossy(&tour.stderr));
    assert!(tour.status.success(), "{told}\n{wrong}");
    // The third `=` that the tour shows.
    assert!(told.contains("main.rego:5:50: "), "{told}");
    assert!(told.contains("All 8 steps went as told.") && !told.contains('\x1b'), "{told}");
}
