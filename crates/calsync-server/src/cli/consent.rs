//! Consent, for every command that takes something away from somebody: shows what would go, and asks. Where nobody sits at a
//! terminal nothing is changed, and a script is told how to say that it means it. Whether the result is printed as JSON
//! makes no difference.

use super::exit::{Exit, Failure};
use crate::out::{Answer, Out};

/// Goes on only if somebody says yes to what `would` happen.
pub async fn ask(out: Out, would: &str) -> Result<(), Failure> {
    let question = format!("{would}\nGo on?");
    let answer = tokio::task::spawn_blocking(move || out.ask(&question)).await;
    match answer.unwrap_or(Answer::No) {
        Answer::Yes => Ok(()),
        Answer::No => Err(Failure::failed("nothing was changed")),
        Answer::Nobody => Err(Failure::new(
            Exit::Usage,
            format!(
                "{would}\nNothing was changed: there is no terminal to ask on. Add --yes if you mean it, or --dry-run \
                 to look only"
            ),
        )),
    }
}
