//! The way of notices: what the providers post, and everything that can happen to it before it is received.

use calsync_core::ids::CalendarId;
use calsync_engine::{Followup, Refusal};
use calsync_sim::cloud::watch::{Notice, Provider, Resource};
use calsync_sim::faults::Fault;

use super::cast::kind;
use super::world::World;

impl World {
    /// Delivers what waits, with everything that can happen to a notice on its way.
    pub(crate) async fn deliver(&mut self) {
        let mut notices = std::mem::take(&mut self.late);
        for provider in Provider::ALL {
            notices.extend(self.cloud.with(|c| c.take_notices(provider, 10_000)));
        }
        if self.faults.strikes(Fault::NoticeReordered) {
            notices.reverse();
        }
        for notice in notices {
            if self.faults.strikes(Fault::NoticeLost) {
                self.direct.threw_away(&notice);
                continue;
            }
            if self.faults.strikes(Fault::NoticeLate) {
                self.late.push(notice);
                continue;
            }
            let times = 1 + u32::from(self.faults.strikes(Fault::NoticeDoubled));
            for _ in 0..times {
                self.receive(&notice).await;
            }
        }
    }

    /// Receives what is posted for a notice. What is not answered well is posted again, whole.
    pub(crate) async fn receive(&mut self, notice: &Notice) {
        let Resource::Events(_) = &notice.channel.resource else { return };
        let address = notice.channel.address.trim_end_matches('/');
        let calendar: CalendarId = address.rsplit('/').next().unwrap().parse().unwrap();
        let provider = kind(notice.channel.provider);
        for delivery in self.direct.deliveries(notice) {
            for _ in 0..3 {
                match self.engine().accept_delivery(provider, calendar, delivery.clone()).await {
                    Err(Refusal::Store(_)) if self.is_dead() => self.revive(),
                    // Only once the answer is out: whatever comes of it is nobody's loss.
                    Ok((_, Followup::Renew)) => {
                        let _ = self.engine().renew_channel(calendar).await;
                        self.revive();
                        break;
                    }
                    Ok((_, Followup::Open)) => {
                        let _ = self.engine().maintain_subscriptions().await;
                        self.revive();
                        break;
                    }
                    _ => break,
                }
            }
        }
    }
}
