//! A database on the shared cluster: empty, one's own, and gone afterwards.

use calsync_testbed::postgres::Database;

#[test]
fn it_is_empty_and_goes_even_while_somebody_is_connected() {
    let (one, other) = (Database::shared(), Database::shared());
    assert_ne!(one.name(), other.name());
    one.psql("CREATE TABLE seen (n int)").unwrap();
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!((one.psql(tables).unwrap(), other.psql(tables).unwrap()), ("1".to_owned(), "0".to_owned()));

    let name = one.name().to_owned();
    let mut connected = std::process::Command::new("psql")
        .args(["-Xqc", "SELECT pg_sleep(60)", one.url()])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let sleeps =
        format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND state = 'active'");
    while other.psql(&sleeps).unwrap() != "1" {}
    drop(one);
    assert!(!connected.wait().unwrap().success());
    assert_eq!(
        other.psql(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")).unwrap(),
        "0"
    );
}
