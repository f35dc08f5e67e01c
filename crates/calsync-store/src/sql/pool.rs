//! How many connections there are, for whoever watches. Opens none, and asks the database nothing.

use calsync_core::ports::Connections;
use sqlx::{Database, Pool};

use super::db::Db;

impl Db {
    /// Of each pool.
    pub(super) fn connections(&self) -> Vec<Connections> {
        match self {
            Db::Lite(lite) => vec![of("readers", &lite.readers), of("writer", &lite.writer)],
            Db::Pg(pg) => vec![of("server", &pg.pool())],
        }
    }
}

fn of<D: Database>(name: &'static str, pool: &Pool<D>) -> Connections {
    // Two looks at what changes meanwhile.
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX).min(pool.size());
    let most = pool.options().get_max_connections();
    Connections { pool: name, used: pool.size() - idle, idle, most }
}

#[cfg(test)]
mod tests {
    use calsync_core::ports::Store;

    use crate::{Migrate, SqlStore};

    #[tokio::test]
    async fn connections_are_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store =
            SqlStore::open(&format!("sqlite://{}", file.path().display()), Migrate::Run).await.unwrap();
        store.ping().await.unwrap();
        let pools = Store::connections(&store);
        let names: Vec<&str> = pools.iter().map(|pool| pool.pool).collect();
        assert_eq!(names, ["readers", "writer"]);
        assert!(pools.iter().all(|pool| pool.used + pool.idle <= pool.most), "{pools:?}");
        assert!(pools[1].used + pools[1].idle == 1 && pools[1].most == 1, "{pools:?}");
        store.close().await;
    }
}
