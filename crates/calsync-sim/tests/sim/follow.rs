//! A reader who keeps google.md's rules (§4, §11) ends with what the calendar holds, whatever goes wrong on the way.

use std::collections::BTreeMap;

use calsync_sim::cloud::content::Content;
use calsync_sim::cloud::event::Kind;
use calsync_sim::faults::{Fault, every_fault};
use calsync_sim::google::{ApiRequest, Reply};
use calsync_sim::rng::Rng;
use jiff::SignedDuration;
use serde_json::Value;

use crate::stage::{Google, TOKEN, content, reason};

/// Tries of one page, pages of one walk.
const PATIENCE: usize = 400;

/// A naive reader: the newest item of each id, and the token to go on from.
#[derive(Default)]
struct Reader {
    items: BTreeMap<String, Value>,
    token: Option<String>,
}

impl Reader {
    /// Follows the calendar once. A lost token means a full listing, laid over what was known.
    fn follow(&mut self, google: &Google) {
        let mut known = if self.token.is_some() { self.items.clone() } else { BTreeMap::new() };
        let start = self.token.as_ref().map(|t| format!("&syncToken={t}")).unwrap_or_default();
        let mut page_token = String::new();
        for _ in 0..PATIENCE {
            let target = format!(
                "/calendar/v3/calendars/primary/events?showDeleted=true&maxResults=7{start}{page_token}"
            );
            let Reply::Answer(answer) = google.face.reply(&ApiRequest::new("GET", &target).bearer(TOKEN))
            else {
                continue;
            };
            let Ok(page) = serde_json::from_str::<Value>(&answer.body) else { continue };
            match answer.status {
                200 => {}
                410 => {
                    assert_eq!(reason(&page), "fullSyncRequired");
                    self.token = None;
                    return self.follow(google);
                }
                // Everything else passes: time goes by, and it is asked again.
                _ => {
                    google.clock.advance(SignedDuration::from_secs(30));
                    continue;
                }
            }
            for item in page["items"].as_array().into_iter().flatten() {
                take(&mut known, item);
            }
            if let Some(next) = page["nextPageToken"].as_str() {
                page_token = format!("&pageToken={next}");
            } else {
                self.token = Some(page["nextSyncToken"].as_str().unwrap().to_owned());
                self.items = known;
                return;
            }
        }
        panic!("the walk does not end");
    }
}

fn take(known: &mut BTreeMap<String, Value>, item: &Value) {
    let id = item["id"].as_str().unwrap();
    if item["status"] == "cancelled" && item["recurringEventId"].is_null() {
        known.retain(|k, v| k != id && v["recurringEventId"] != id);
        return;
    }
    let older = known
        .get(id)
        .is_some_and(|k| k["updated"].as_str() > item["updated"].as_str() && !item["updated"].is_null());
    if !older {
        known.insert(id.to_owned(), item.clone());
    }
}

/// One random act of the person.
fn act(google: &Google, rng: &mut Rng) {
    let dice = rng.below(10);
    let day = u8::try_from(1 + rng.below(28)).unwrap();
    let pick = rng.next_u64();
    google.person(|cloud, cal, now| {
        let live = cloud.live_events(cal);
        let chosen =
            (!live.is_empty()).then(|| live[usize::try_from(pick % live.len() as u64).unwrap()].clone());
        let shift = |c: &mut Content| (c.start, c.end) = (content("", day).start, content("", day).end);
        let done = match (dice, chosen) {
            (0..3, _) => cloud.create_event(cal, content("single", day), now).map(drop),
            (3, _) => cloud
                .create_event(cal, content("s", day).repeating("RRULE:FREQ=DAILY;COUNT=5"), now)
                .map(drop),
            (4, Some(event)) => cloud.cancel_event(cal, &event.id, now).map(drop),
            (5 | 6, Some(event)) if event.kind == Kind::Series => {
                let slots = cloud.occurrences(cal, &event.id, &calsync_core::time::Window::ALL, 9).unwrap();
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
            (_, Some(event)) => {
                cloud.edit_event(cal, &event.id, now, |c| c.summary = Some(format!("e{pick}"))).map(drop)
            }
            (_, None) => Ok(()),
        };
        // Cancelling what is cancelled already is refused, and nothing else is tried here.
        assert!(done.is_ok() || done == Err(calsync_sim::cloud::CloudError::Deleted), "{done:?}");
    });
}

#[test]
fn a_reader_who_keeps_the_rules_ends_with_what_the_calendar_holds() {
    let mut fired = BTreeMap::new();
    for seed in 0..60 {
        let (google, mut rng, mut reader) = (Google::new(), Rng::new(seed), Reader::default());
        // Each seed its own stretch of the dice.
        for _ in 0..seed * 50 {
            for fault in Fault::ALL {
                google.faults.strikes(fault);
            }
        }
        for (fault, rate) in every_fault(80_000) {
            google.faults.set_rate(fault, rate);
        }
        for _ in 0..40 {
            for _ in 0..rng.below(6) {
                google.clock.advance(SignedDuration::from_secs(1));
                act(&google, &mut rng);
            }
            reader.follow(&google);
            google.clock.advance(SignedDuration::from_mins(2));
        }
        google.faults.switch_off();
        reader.follow(&google);
        let held = google.person(|cloud, cal, _| {
            let stored = cloud.calendar(cal).unwrap().stored_after(None);
            stored
                .filter(|e| !e.is_tombstone())
                .map(|e| (e.id.to_string(), e.version))
                .collect::<BTreeMap<_, _>>()
        });
        let version = |item: &Value| {
            item["etag"].as_str().unwrap().trim_matches('"').parse::<u64>().unwrap() % 1_000_000 / 2
        };
        let seen: BTreeMap<_, _> =
            reader.items.iter().map(|(id, item)| (id.clone(), version(item))).collect();
        assert_eq!(seen, held, "seed {seed}");
        for (fault, n) in google.faults.fired() {
            *fired.entry(fault).or_insert(0) += n;
        }
    }
    // What a reader can meet did happen.
    for fault in [
        Fault::ShortPage,
        Fault::EmptyPage,
        Fault::SyncTokenLost,
        Fault::DuplicateItem,
        Fault::ExceptionsFirst,
    ] {
        assert!(fired[&fault] > 20, "{fired:?}");
    }
}
