//! The cluster that many tests share: prints its URL, and stops it when nobody holds its standard input any more,
//! however that came about. `script/servers` is what uses it.

use std::io::{Read as _, Write as _, stdin, stdout};

use calsync_testbed::postgres::{Cluster, ClusterOptions};

fn main() {
    // Each test process has a pool of its own.
    let cluster = Cluster::start(&ClusterOptions { max_connections: 400, ..ClusterOptions::default() });
    let mut out = stdout();
    writeln!(out, "{}", cluster.url("postgres")).and_then(|()| out.flush()).expect("somebody reads the URL");
    // Nothing is ever said: this waits for the end.
    stdin().read_to_end(&mut Vec::new()).expect("standard input is there");
}
