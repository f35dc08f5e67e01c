//! Somebody with an account at each provider, and all of their calendars kept in step.

use std::sync::Arc;

use calsync_core::calendar::ProviderKind;
use calsync_core::ports::Store;
use calsync_core::time::Ts;
use calsync_sim::cloud::Cloud;
use calsync_sim::cloud::names::{CalendarId, PersonId};
use calsync_sim::cloud::watch::{Channel, Resource};
use calsync_sim::microsoft::MicrosoftConfig;

use crate::channels::now;
use crate::place::Place;
use crate::wire::Wire;
use crate::world::{ADA, World, calendar};

/// Ada's address at Microsoft.
pub(crate) const ADA_THERE: &str = "ada@example.org";

/// Ada with a calendar at Google and two at Microsoft.
pub(crate) struct Mixed {
    pub(crate) world: World,
    /// Between the providers and the program.
    pub(crate) hooks: Wire,
    pub(crate) ada: PersonId,
    pub(crate) google: CalendarId,
    pub(crate) main: CalendarId,
    pub(crate) team: CalendarId,
}

impl Mixed {
    /// Both accounts are connected, and all calendars switched on.
    pub(crate) async fn new(seed: u64) -> Mixed {
        let mixed = Mixed::alone(Place::new(), seed, |_| ()).await;
        mixed.world.sign_in(ADA).await;
        mixed.world.connect_at(ProviderKind::Microsoft, ADA, ADA_THERE).await.expect(0);
        mixed.world.enable_all();
        mixed
    }

    /// The same with the account at Microsoft alone.
    pub(crate) async fn only_there(seed: u64) -> Mixed {
        let mixed = Mixed::alone(Place::new(), seed, |_| ()).await;
        mixed.join().await;
        mixed
    }

    /// Nobody is connected yet.
    pub(crate) async fn alone(place: Place, seed: u64, differs: impl FnOnce(&mut MicrosoftConfig)) -> Mixed {
        let mut world = World::where_microsoft(place, seed, differs).await;
        let hooks = Wire::to(format!("http://{}", world.place.address));
        world.place.set("SERVER__PUBLIC_URL", hooks.url());
        let (google, main) = (CalendarId::from(ADA), CalendarId::from(ADA_THERE));
        let team = CalendarId::from("team@calendars.example.org");
        let ada = world.sim.cloud().with(|cloud| {
            cloud.add_person(ADA, "Ada", "Europe/Vienna", now()).unwrap();
            let ada = cloud.add_person(ADA_THERE, "Ada", "Europe/Vienna", now()).unwrap();
            cloud.add_calendar(calendar(&team, "Team", &ada), now()).unwrap();
            ada
        });
        Mixed { world, hooks, ada, google, main, team }
    }

    /// Connects the account at Microsoft, and switches its calendars on.
    pub(crate) async fn join(&self) {
        self.world.place.run(&["users", "add", ADA]).expect(0);
        self.world.connect_at(ProviderKind::Microsoft, ADA, ADA_THERE).await.expect(0);
        self.world.enable_all();
    }

    /// From each of these calendars to each other.
    pub(crate) fn mesh(calendars: &[&CalendarId]) -> Vec<(CalendarId, CalendarId)> {
        let from =
            |a: &CalendarId| calendars.iter().map(move |b| (a.clone(), (*b).clone())).collect::<Vec<_>>();
        calendars.iter().flat_map(|a| from(a)).filter(|(a, b)| a != b).collect()
    }

    /// This service's id of a calendar at Microsoft.
    pub(crate) fn id_there(&self, calendar: &CalendarId) -> String {
        self.world.id_of_remote(&self.world.sim.microsoft().calendar_id_for(&self.ada, calendar))
    }

    /// The subscription that Microsoft has for a calendar now, by its id.
    pub(crate) fn subscription(&self, calendar: &CalendarId) -> Option<String> {
        self.world.sim.cloud().with(|cloud| self.subscription_in(cloud, calendar).map(|c| c.id.clone()))
    }

    /// The same with all that belongs to it.
    pub(crate) fn subscription_in(&self, cloud: &Cloud, calendar: &CalendarId) -> Option<Arc<Channel>> {
        let resource = Resource::Events(calendar.clone());
        cloud.watch().channels().find(|c| c.resource == resource).cloned()
    }

    /// How the account at Microsoft stands, and the words that say why.
    pub(crate) fn account(&self) -> (String, String) {
        let list = self.world.place.run(&["accounts", "list", "--json"]).expect(0).json();
        let found = list.as_array().unwrap().iter().find(|a| a["provider"] == "microsoft").cloned();
        let found = found.unwrap_or_else(|| panic!("{list}"));
        let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        (text("status"), text("status_detail"))
    }

    /// How often access tokens were asked for at Microsoft.
    pub(crate) fn purchases(&self) -> usize {
        self.world.graph.count("POST", "/oauth2/v2.0/token")
    }

    /// When a calendar was last read as a whole.
    pub(crate) async fn last_full(&self, calendar: &CalendarId) -> Option<Ts> {
        let id = self.id_there(calendar).parse().unwrap();
        self.world.place.look(async |s| s.calendar(id).await.unwrap().unwrap().last_full_sync).await
    }
}
