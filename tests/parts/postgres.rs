use postern_tests::parts;
use postern_tests::real::{Postgres, postgres::PASSWORD};

#[test]
fn an_account_can_log_in_with_its_password_only() {
    if !parts::present("an_account_can_log_in_with_its_password_only", Postgres::PROGRAMS) {
        return;
    }
    let postgres = Postgres::start();

    let _ = postgres.sql("create role clerk login password 'right'");

    assert_eq!(postgres.accounts(), ["clerk"]);
    assert!(postgres.lets_in("clerk", "right"));
    assert!(!postgres.lets_in("clerk", "wrong"));
    assert!(postgres.lets_in("postgres", PASSWORD));
}
