//! The sealing key is changed while the service works: two instances are restarted one after the other at each step, and what is
//! made in a calendar meanwhile is blocked in the other. In the end nothing needs the old key.

use calsync_sim::cloud::names::CalendarId;
use calsync_sim::google::Stage;
use calsync_testbed::postgres::Database;

use crate::fleet::Instance;
use crate::place::{Place, free_address};
use crate::world::{ADA, SOON, World, hour};

struct Pair {
    world: World,
    fleet: [Instance; 2],
    main: CalendarId,
    work: CalendarId,
    made: usize,
}

impl Pair {
    /// Each is restarted while the other works, and both still do their work.
    async fn one_by_one(&mut self) {
        for instance in &mut self.fleet {
            instance.stop().await;
            self.made += 1;
            self.world.make(&self.main, hour("Interview", 20 + 2 * i64::try_from(self.made).unwrap()));
            self.world.wait_for_blocks(&self.work, self.made, SOON).await;
            instance.start(&self.world.place).await;
        }
    }

    fn status(&self) -> String {
        self.world.place.run(&["secrets", "status", "--json"]).expect(0).json().to_string()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_changed_without_a_stop() {
    let database = Database::shared();
    let mut world = World::where_google_on(Place::on(database.url()), 123, |google| {
        google.clients[0].stage = Stage::InProduction;
    })
    .await;
    let (main, work) = (CalendarId::from(ADA), CalendarId::from("work@group.calendar.google.com"));
    world.sign_in(ADA).await;
    world.enable_all();
    let place = &mut world.place;
    place.set("SYNC__POLL_SECONDS", 1);
    place.run(&["secrets", "generate", "--out", "new.key"]).expect(0);
    let [old, new] = ["calendar-sync.key", "new.key"].map(|name| place.path(name).display().to_string());
    place.set("SECRETS__KEY_FILE", &old);
    let mut fleet = [free_address(), free_address()].map(|at| Instance::new(at, ""));
    for instance in &mut fleet {
        instance.start(place).await;
    }
    let mut pair = Pair { world, fleet, main, work, made: 0 };
    let before = pair.status();
    // All know the new one.
    pair.world.place.set("SECRETS__PREVIOUS_KEYS_FILE", &new);
    pair.one_by_one().await;
    // All seal with it; the one that is not restarted yet opens what the other has sealed.
    pair.world.place.set("SECRETS__KEY_FILE", &new);
    pair.world.place.set("SECRETS__PREVIOUS_KEYS_FILE", &old);
    pair.one_by_one().await;
    pair.world.place.run(&["secrets", "rotate"]).expect(0);
    let after = pair.status();
    assert_ne!(before, after);
    // Nobody needs the old one.
    pair.world.place.unset("SECRETS__PREVIOUS_KEYS_FILE");
    std::fs::remove_file(&old).unwrap();
    pair.one_by_one().await;
    let doctor = pair.world.place.run(&["doctor", "--json"]).expect(0).json();
    crate::doctor::has(&doctor, "sealing key", "ok", "opens all that is sealed");
    assert_eq!(pair.made, 6);
}
