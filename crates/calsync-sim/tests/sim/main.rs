//! What the calendar cloud and its look-alikes do, row by row of the providers' contracts (google.md,
//! microsoft.md).

#[cfg(test)]
mod clients;
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod events_list;
#[cfg(test)]
mod events_write;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod microsoft;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod push;
#[cfg(test)]
mod stage;
