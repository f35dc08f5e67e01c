//! What the calendar cloud and its look-alikes do, row by row of the provider's contract.

#[cfg(test)]
mod cloud;
