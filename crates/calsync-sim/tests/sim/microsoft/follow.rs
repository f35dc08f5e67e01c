//! A reader who keeps microsoft.md's rules (§7, §10) ends with what the window holds, whatever goes wrong on the way.

use std::collections::{BTreeMap, BTreeSet};

use calsync_core::time::Window;
use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::event::Kind;
use calsync_sim::faults::{Fault, every_fault};
use calsync_sim::microsoft::{ApiRequest, MicrosoftConfig, Reply, Vanished};
use calsync_sim::rng::Rng;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::stage::{Microsoft, NOVEMBER, id, kind, path_of};
use crate::stage::{TOKEN, content, ts};

/// Tries of one page, pages of one walk.
const PATIENCE: usize = 600;

const INSTANCES: &str =
    "instances?startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z&$top=100";

/// A naive reader: singles and occurrences of the window by id, with their start, and the link to go on from.
#[derive(Default)]
struct Reader {
    /// By id: the master, if there is one, and the start.
    known: BTreeMap<String, (Option<String>, String)>,
    link: Option<String>,
}

impl Reader {
    /// Asks until there is an answer of another kind than those that pass.
    fn ask(ms: &Microsoft, target: &str) -> (u16, Value) {
        for _ in 0..PATIENCE {
            let request =
                ApiRequest::new("GET", target).header("prefer", "odata.maxpagesize=7").bearer(TOKEN);
            if let Reply::Answer(answer) = ms.reply(&request)
                && let Ok(body) = serde_json::from_str::<Value>(&answer.body)
                && matches!(answer.status, 200 | 400 | 404 | 410)
            {
                return (answer.status, body);
            }
            ms.clock.advance(SignedDuration::from_secs(30));
        }
        panic!("no answer");
    }

    /// Follows the calendar once. A lost token means a round over everything, and only what it showed stays.
    fn follow(&mut self, ms: &Microsoft) {
        let mut target = self.link.clone().unwrap_or_else(|| NOVEMBER.to_owned());
        let whole = self.link.is_none();
        let (mut known, mut series) =
            (if whole { BTreeMap::new() } else { self.known.clone() }, BTreeSet::new());
        for _ in 0..PATIENCE {
            let (status, page) = Reader::ask(ms, path_of(&target));
            if status != 200 {
                self.link = None;
                return self.follow(ms);
            }
            for item in page["value"].as_array().unwrap() {
                take(&mut known, &mut series, item);
            }
            if let Some(link) = page["@odata.deltaLink"].as_str() {
                // Any item of a series: its instances say what there is (§7).
                for master in series {
                    again(ms, &mut known, &master);
                }
                (self.known, self.link) = (known, Some(link.to_owned()));
                return;
            }
            page["@odata.nextLink"].as_str().unwrap().clone_into(&mut target);
        }
        panic!("the round does not end");
    }
}

type Known = BTreeMap<String, (Option<String>, String)>;

fn take(known: &mut Known, series: &mut BTreeSet<String>, item: &Value) {
    let (id, start) = (id(item).to_owned(), item["start"]["dateTime"].as_str().unwrap_or("").to_owned());
    match kind(item) {
        "removed" => {
            if let Some((Some(master), _)) = known.remove(&id) {
                series.insert(master);
            }
            known.retain(|_, (master, _)| master.as_ref() != Some(&id));
            series.remove(&id);
        }
        "seriesMaster" => {
            // What was a single before is one no longer.
            known.remove(&id);
            series.insert(id);
        }
        "singleInstance" => {
            known.retain(|_, (master, _)| master.as_ref() != Some(&id));
            known.insert(id, (None, start));
        }
        _ => {
            let master = item["seriesMasterId"].as_str().unwrap().to_owned();
            series.insert(master.clone());
            known.insert(id, (Some(master), start));
        }
    }
}

fn again(ms: &Microsoft, known: &mut Known, master: &str) {
    known.retain(|_, (of, _)| of.as_deref() != Some(master));
    let mut target = format!("/v1.0/me/events/{master}/{INSTANCES}");
    for _ in 0..PATIENCE {
        let (status, page) = Reader::ask(ms, &target);
        if status != 200 {
            // The series is gone, or no series any more; whichever it is, a later round tells.
            return;
        }
        for item in page["value"].as_array().unwrap() {
            let start = item["start"]["dateTime"].as_str().unwrap().to_owned();
            known.insert(id(item).to_owned(), (Some(master.to_owned()), start));
        }
        match page["@odata.nextLink"].as_str() {
            Some(next) => path_of(next).clone_into(&mut target),
            None => return,
        }
    }
    panic!("the walk does not end");
}

/// One random act of the person.
fn act(ms: &Microsoft, rng: &mut Rng) {
    let dice = rng.below(11);
    let day = u8::try_from(1 + rng.below(28)).unwrap();
    let pick = rng.next_u64();
    ms.person(|cloud, cal, now| {
        let live = cloud.live_events(cal);
        let chosen =
            (!live.is_empty()).then(|| live[usize::try_from(pick % live.len() as u64).unwrap()].clone());
        let away = |c: &mut Content| {
            let at = |h: u8| ts(&format!("2027-02-{day:02}T{h:02}:00:00Z"));
            let there = Content::timed("", at(9), at(10), "UTC");
            (c.start, c.end) = (there.start, there.end);
        };
        let shift = |c: &mut Content| (c.start, c.end) = (content("", day).start, content("", day).end);
        let done = match (dice, chosen) {
            (0..3, _) => cloud.create_event(cal, content("single", day), now).map(drop),
            (3, _) => cloud
                .create_event(cal, content("s", day).repeating("RRULE:FREQ=DAILY;COUNT=5"), now)
                .map(drop),
            (4, Some(event)) => cloud.cancel_event(cal, &event.id, now).map(drop),
            (5 | 6, Some(event)) if event.kind == Kind::Series => {
                let slots = cloud.occurrences(cal, &event.id, &Window::ALL, 9).unwrap();
                let one = &slots[usize::try_from(pick % slots.len() as u64).unwrap()];
                if dice == 5 {
                    cloud.cancel_event(cal, &one.id, now).map(drop)
                } else {
                    cloud.edit_event(cal, &one.id, now, shift).map(drop)
                }
            }
            (7, _) if day == 1 => {
                cloud.expire_sync_tokens(cal);
                Ok(())
            }
            (8, Some(event)) if event.kind == Kind::Single => {
                cloud.edit_event(cal, &event.id, now, away).map(drop)
            }
            (9, Some(event)) if event.series().is_none() => {
                cloud.edit_event(cal, &event.id, now, shift).map(drop)
            }
            (_, Some(event)) => {
                cloud.edit_event(cal, &event.id, now, |c| c.summary = Some(format!("e{pick}"))).map(drop)
            }
            (_, None) => Ok(()),
        };
        // Cancelling what is cancelled already is refused, and nothing else is tried here.
        assert!(done.is_ok() || done == Err(calsync_sim::cloud::CloudError::Deleted), "{done:?}");
    });
}

/// What the window holds, by Ann's ids.
fn held(ms: &Microsoft) -> BTreeMap<String, String> {
    let window = Window { from: ts("2026-11-01T00:00:00Z"), to: ts("2026-12-01T00:00:00Z") };
    let found = ms.person(|cloud, cal, _| {
        let mut found = Vec::new();
        for event in cloud.live_events(cal) {
            match event.kind {
                Kind::Single => found.extend(event.touches(&window, &TimeZone::UTC).then_some(event)),
                Kind::Series => found.extend(cloud.occurrences(cal, &event.id, &window, 100).unwrap()),
                Kind::Exception { .. } => {}
            }
        }
        found.retain(|e| !e.cancelled);
        found
    });
    let start = |e: &calsync_sim::cloud::event::Event| {
        e.instants(&TimeZone::UTC).0.to_jiff().strftime("%Y-%m-%dT%H:%M:%S.0000000").to_string()
    };
    found.iter().map(|e| (ms.id(&e.id), start(e))).collect()
}

#[test]
fn a_reader_who_keeps_the_rules_ends_with_what_the_window_holds() {
    let mut fired = BTreeMap::new();
    for seed in 0..60 {
        let vanished = if seed % 2 == 0 { Vanished::Silent } else { Vanished::Told };
        let config = MicrosoftConfig { vanished, ..MicrosoftConfig::default() };
        let (ms, mut rng, mut reader) = (Microsoft::with(config), Rng::new(seed), Reader::default());
        // Each seed its own stretch of the dice.
        for _ in 0..seed * 50 {
            for fault in Fault::ALL {
                ms.faults.strikes(fault);
            }
        }
        for (fault, rate) in every_fault(60_000) {
            // A seeded token that expires would end the walk.
            ms.faults.set_rate(fault, if fault == Fault::TokenExpired { 0 } else { rate });
        }
        for _ in 0..30 {
            for _ in 0..rng.below(6) {
                ms.clock.advance(SignedDuration::from_secs(1));
                act(&ms, &mut rng);
            }
            reader.follow(&ms);
            ms.clock.advance(SignedDuration::from_mins(10));
        }
        ms.faults.switch_off();
        reader.follow(&ms);
        let seen: BTreeMap<_, _> =
            reader.known.iter().map(|(id, (_, start))| (id.clone(), start.clone())).collect();
        assert_eq!(seen, held(&ms), "seed {seed}");
        for (fault, n) in ms.faults.fired() {
            *fired.entry(fault).or_insert(0) += n;
        }
    }
    // What a reader can meet did happen.
    for fault in [
        Fault::ShortPage,
        Fault::EmptyPage,
        Fault::SyncTokenLost,
        Fault::DuplicateItem,
        Fault::DeltaLag,
        Fault::DeltaBehind,
        Fault::StrayRemoval,
    ] {
        assert!(fired[&fault] > 20, "{fired:?}");
    }
}
