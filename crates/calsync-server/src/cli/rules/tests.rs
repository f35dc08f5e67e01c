//! Rules from the command line, on the reference store.

use std::sync::Arc;

use calsync_core::block::CalendarRef;
use calsync_core::calendar::{Access, Account, AccountStatus, ListedCalendar, ProviderKind, User};
use calsync_core::ids::{AccountId, UserId};
use calsync_core::ports::{CalendarChange, ConnectAccount, IdGen, SealedCredentials, Store, Switch};
use calsync_store::MemoryStore;
use clap::Parser;

use super::super::args::{Cli, Command};
use super::*;
use crate::out::{Format, Out};
use crate::system::SystemRandom;

const NOW: &str = "2026-11-22T08:00:00Z";

/// Ada with three calendars, two of them enabled; `Feed` can only be read.
async fn world() -> (Context, UserId) {
    let store = Arc::new(MemoryStore::new());
    let now = NOW.parse().unwrap();
    let user = UserId(SystemRandom.uuid(now));
    store
        .add_user(&User { id: user, email: "ada@example.com".into(), is_staff: false, created_at: now })
        .await
        .unwrap();
    let account = Account {
        id: AccountId(SystemRandom.uuid(now)),
        user,
        provider: ProviderKind::Google,
        remote_id: "1".into(),
        email: "ada@example.com".into(),
        status: AccountStatus::Active,
        status_detail: None,
        created_at: now,
    };
    let credentials = SealedCredentials { sealed: vec![], version: 1 };
    let account = store.connect_account(&ConnectAccount { account, credentials }, now).await.unwrap();
    let listed = |name: &str, access| {
        let listed = ListedCalendar {
            remote_id: name.to_lowercase(),
            name: name.into(),
            time_zone: "Europe/Vienna".into(),
            colour: None,
            access,
            primary: false,
            push_unsupported: false,
        };
        (CalendarId(SystemRandom.uuid(now)), listed)
    };
    let list =
        [listed("Work", Access::Owner), listed("Private", Access::Write), listed("Feed", Access::Read)];
    store.update_calendar_list(account, &list).await.unwrap();
    for (id, _) in &list[..2] {
        store.change_calendar(*id, CalendarChange::SyncEnabled(Switch::On), now).await.unwrap();
    }
    let loaded = crate::config::load(&crate::config::Sources::default()).unwrap();
    (Context::new(Out::new(Format::Json), loaded, store), user)
}

async fn rules(context: &Context, args: &str) -> Result<Exit, Failure> {
    let words = ["calendar-sync", "rules"].into_iter().chain(args.split('|'));
    let Command::Rules { command } = Cli::try_parse_from(words).unwrap().command else { panic!("rules") };
    run(&command, context).await
}

async fn state(context: &Context, user: UserId) -> UserState {
    context.store.user_state(user).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_mesh_is_listed_until_there_is_a_rule() {
    let (context, user) = world().await;
    let before = rows(&state(&context, user).await);
    assert_eq!(before.len(), 2, "both ways");
    assert!(before.iter().all(|row| !row.stored && row.in_force));

    rules(
        &context,
        "set|work|Private|--title|Away|--skip-all-day|on|--working-hours|Europe/Vienna mon-fri 8:00-18:00",
    )
    .await
    .unwrap();
    let after = rows(&state(&context, user).await);
    let ids = |rows: &[Row]| rows.iter().map(|r| r.id).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(ids(&after), ids(&before), "the other one stays, and both keep their ids");
    let row = after.iter().find(|r| r.source.name == "Work").unwrap();
    assert!(row.stored && row.in_force && row.options.skip_all_day);
    assert_eq!(
        (row.source.name.as_str(), row.target.name.as_str(), row.options.title.as_str()),
        ("Work", "Private", "Away")
    );

    rules(&context, "set|Work|Private|--skip-all-day|off|--working-hours|off|--colour|7").await.unwrap();
    let changed = rows(&state(&context, user).await);
    let options = &changed.iter().find(|r| r.id == row.id).expect("the same rule").options;
    assert_eq!(
        (options.title.as_str(), options.skip_all_day, options.working_hours.is_none()),
        ("Away", false, true)
    );
    assert_eq!(options.colour.as_deref(), Some("7"));
}

#[tokio::test]
async fn all_problems_of_a_rule_are_told_at_once() {
    let (context, user) = world().await;
    let refused = rules(&context, "set|Feed|Feed|--title|{title}|--working-hours|Mars/Base mon 9:00-8:00")
        .await
        .unwrap_err();
    assert_eq!(refused.exit, Exit::Failed);
    for part in ["cannot block itself", "read-only", "working hours", "copy_title is off"] {
        assert!(refused.message.contains(part), "{}", refused.message);
    }
    assert!(state(&context, user).await.rules.is_empty(), "nothing was stored");
    let unknown = rules(&context, "set|Work|Nowhere").await.unwrap_err();
    assert!(unknown.exit == Exit::NotFound && unknown.message.contains("\"Nowhere\""), "{unknown:?}");
}

#[tokio::test]
async fn the_last_rule_goes_only_when_that_is_meant() {
    let (context, user) = world().await;
    rules(&context, "set|Work|Private|--only|--title|Away").await.unwrap();
    assert_eq!(state(&context, user).await.rules.len(), 1, "only this one");
    let id = state(&context, user).await.rules[0].id;
    let refused = rules(&context, &format!("remove|{id}")).await.unwrap_err();
    assert!(refused.message.contains("all enabled calendars block each other again"), "{refused:?}");
    assert_eq!(state(&context, user).await.rules.len(), 1);
    rules(&context, &format!("remove|{id}|--yes")).await.unwrap();
    assert!(state(&context, user).await.rules.is_empty());
    let implied = rows(&state(&context, user).await);
    assert!(implied.iter().all(|row| !row.stored), "all block each other again");
    let unknown = rules(&context, &format!("remove|{}|--yes", uuid::Uuid::nil())).await.unwrap_err();
    assert_eq!(unknown.exit, Exit::NotFound);
}

#[tokio::test]
async fn an_implied_rule_can_be_removed_alone() {
    let (context, user) = world().await;
    let before = rows(&state(&context, user).await);
    rules(&context, &format!("remove|{}", before[0].id)).await.unwrap();
    let after = rows(&state(&context, user).await);
    assert_eq!((after.len(), after[0].id, after[0].stored), (1, before[1].id, true));
}

#[tokio::test]
async fn defaults_are_for_what_is_new() {
    let (context, user) = world().await;
    let before = rows(&state(&context, user).await);
    rules(&context, "defaults|set|--new-calendars|none|--title|Taken").await.unwrap();
    rules(&context, "defaults|show").await.unwrap();
    let after = rows(&state(&context, user).await);
    assert!(after.iter().all(|r| r.stored && r.in_force && r.options == before[0].options), "as they were");
    rules(&context, "set|Feed|Work|--skip-all-day|on").await.unwrap();
    let new = rows(&state(&context, user).await);
    let new = new.iter().find(|r| r.source.name == "Feed").unwrap();
    assert_eq!((new.options.title.as_str(), new.options.skip_all_day), ("Taken", true));
    let feed = new.source.id;
    let done = context.engine().enable_calendar((user, feed), WHO).await.unwrap();
    assert_eq!((done.linked.len(), done.in_force), (0, 1));
    let bad = rules(&context, "defaults|set|--title|{title}").await.unwrap_err();
    assert!(bad.message.contains("copy_title is off"), "{bad:?}");
}

#[tokio::test]
async fn calendars_of_the_same_name_are_never_guessed() {
    let (context, user) = world().await;
    let account = state(&context, user).await.accounts[0].id;
    let twin = ListedCalendar {
        remote_id: "other".into(),
        name: "WORK".into(),
        time_zone: "UTC".into(),
        colour: None,
        access: Access::Owner,
        primary: false,
        push_unsupported: false,
    };
    let mut list: Vec<(CalendarId, ListedCalendar)> =
        vec![(CalendarId(SystemRandom.uuid(context.now())), twin)];
    for c in state(&context, user).await.calendars {
        let CalendarRef { calendar, .. } = c.remote;
        let listed = ListedCalendar {
            remote_id: calendar,
            name: c.name,
            time_zone: c.time_zone,
            colour: None,
            access: c.access,
            primary: false,
            push_unsupported: false,
        };
        list.push((c.id, listed));
    }
    context.store.update_calendar_list(account, &list).await.unwrap();
    let refused = rules(&context, "set|Work|Private").await.unwrap_err();
    assert_eq!(refused.exit, Exit::Usage);
    assert!(refused.message.contains(&list[0].0.to_string()), "{}", refused.message);
    let by_id = state(&context, user).await.calendars.iter().find(|c| c.name == "Work").unwrap().id;
    rules(&context, &format!("set|{by_id}|Private")).await.unwrap();
}
