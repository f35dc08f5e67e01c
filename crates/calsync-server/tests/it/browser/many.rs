//! Somebody with more than the pages have room for: two accounts, calendars of one name in both, and names that no line breaks.

use calsync_core::calendar::ProviderKind;
use calsync_sim::cloud::names::CalendarId;

use super::Browser;
use crate::channels::now;
use crate::pages::signed_in;
use crate::world::{ADA, SOON, World, calendar, hour};

const ADA_ELSEWHERE: &str = "ada.lovelace.of.the.analytical.engine@example.net";
const NAMES: [&str; 3] = [
    "Family",
    "Donaudampfschiffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "R&D <all> \"hands\"",
];

#[tokio::test]
async fn pages_bear_many_calendars_with_long_names_and_tell_equal_ones_apart() {
    let world = World::new(90).await;
    let id = |of: &str, name: &str| CalendarId::from(format!("{}-of-{of}", name.len()).as_str());
    world.sim.cloud().with(|cloud| {
        for email in [ADA, ADA_ELSEWHERE] {
            let person = cloud.add_person(email, "Ada", "Europe/Vienna", now()).unwrap();
            for name in NAMES {
                cloud.add_calendar(calendar(&id(email, name), name, &person), now()).unwrap();
            }
        }
    });
    world.sign_in(ADA).await;
    world.connect_at(ProviderKind::Google, ADA, ADA_ELSEWHERE).await.expect(0);
    world.enable_all();
    for (n, name) in (0..).zip(NAMES) {
        world.make(&id(ADA, name), hour("Supercalifragilisticexpialidocious", 26 + n));
    }
    let _serving = world.place.serve().await;
    world.wait_for_blocks(&CalendarId::from(ADA_ELSEWHERE), NAMES.len(), SOON).await;
    let browser = Browser::of(&world.place, &signed_in(&world.place, ADA).await).await;
    for (path, page) in [
        ("/", "many-home"),
        ("/rules", "many-rules"),
        ("/week", "many-week"),
        ("/activity?all=on", "many-activity"),
        ("/start", "many-start"),
    ] {
        browser.goes(path).await;
        browser.is_fit(page).await;
    }
    browser.goes("/").await;
    browser.one(&format!("#sync-{}", world.id_of(&id(ADA, NAMES[1])))).await.click().await.unwrap();
    browser.sees("is looked at now").await;
    browser.is_fit("many-notice").await;
    let ends = format!(
        "source={}&target={}",
        world.id_of(&id(ADA, NAMES[0])),
        world.id_of(&id(ADA_ELSEWHERE, NAMES[0]))
    );
    browser.goes(&format!("/rules?{ends}")).await;
    browser.sees(&format!("Family ({ADA}) → Family ({ADA_ELSEWHERE})")).await;
    browser.presses("Preview").await;
    browser.sees("What saving would do").await;
    browser.is_fit("many-rule").await;
}
