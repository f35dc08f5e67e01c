//! How many people live in how many clouds. A cloud is small, as its cast is; more people live in more clouds, which know
//! nothing of each other and are lived at once.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use super::super::failed;
use crate::cli::exit::Failure;

/// People of one cloud.
const PEOPLE_MAX: u32 = 6;
/// Calendars of a person, unless they do not divide.
pub(in crate::cli::bench) const CALENDARS: u8 = 3;

/// People of one cloud, and the calendars of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli::bench) struct Crowd {
    pub(in crate::cli::bench) people: u32,
    pub(in crate::cli::bench) calendars: u8,
}

/// So many people, with so many calendars each.
pub(in crate::cli::bench) fn of_people(people: u32, calendars: u8) -> Vec<Crowd> {
    let full = (0..people / PEOPLE_MAX).map(|_| Crowd { people: PEOPLE_MAX, calendars });
    let rest = Crowd { people: people % PEOPLE_MAX, calendars };
    full.chain((rest.people > 0).then_some(rest)).collect()
}

/// So many calendars, at least two of them: three to a person, and what does not divide to the last.
pub(in crate::cli::bench) fn of_calendars(calendars: u32) -> Vec<Crowd> {
    let each = u32::from(CALENDARS);
    let (people, last) = match calendars % each {
        0 => (calendars / each, 0),
        1 => ((calendars / each).saturating_sub(1), CALENDARS + 1),
        _ => (calendars / each, CALENDARS - 1),
    };
    let mut crowds = of_people(people, CALENDARS);
    crowds.extend((last > 0).then_some(Crowd { people: 1, calendars: last }));
    crowds
}

/// Lives in all of these clouds, on as many threads as there are processors; what came of each, in their order.
pub(in crate::cli::bench) fn all<C: Sync, T: Send>(
    clouds: &[C],
    live: impl Fn(&C) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let next = Mutex::new(0);
    let done = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, usize::from).min(clouds.len());
    let work = || {
        loop {
            let at = {
                let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
                *next += 1;
                *next - 1
            };
            let Some(cloud) = clouds.get(at) else { return };
            let lived = live(cloud);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, lived));
        }
    };
    thread::scope(|scope| {
        let hands: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        hands.into_iter().try_for_each(|hand| hand.join().map_err(|_| failed("a life ended in a panic")))
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, lived)| lived).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_left_out() {
        for calendars in 2..400 {
            let crowds = of_calendars(calendars);
            assert!(
                crowds.iter().all(|c| (1..=PEOPLE_MAX).contains(&c.people) && (2..=4).contains(&c.calendars))
            );
            let sum: u32 = crowds.iter().map(|c| c.people * u32::from(c.calendars)).sum();
            assert_eq!(sum, calendars);
        }
        let people = |n| of_people(n, 3).iter().map(|c| c.people).collect::<Vec<_>>();
        assert_eq!((people(6), people(13)), (vec![6], vec![6, 6, 1]));
    }

    #[test]
    fn what_comes_of_them_is_in_their_order() {
        let clouds: Vec<u32> = (0..10).collect();
        assert_eq!(all(&clouds, |at| Ok(at * 2)).unwrap(), (0..10).map(|at| at * 2).collect::<Vec<_>>());
        assert!(all(&clouds, |at| if *at == 7 { Err(failed("it")) } else { Ok(()) }).is_err());
    }
}
