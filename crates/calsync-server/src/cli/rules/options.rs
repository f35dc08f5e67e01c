//! From what was typed to a rule's options: what is not named stays as it is.

use calsync_core::block::Visibility;
use calsync_core::rule::{RuleOptions, Tampered, Tentative};

use super::args::{OptionArgs, TamperedArg, TentativeArg, VisibilityArg};
use crate::cli::args::Toggle;

/// Takes over what was named.
pub(super) fn apply(options: &mut RuleOptions, set: &OptionArgs) {
    let toggle = |slot: &mut bool, to: Option<Toggle>| {
        if let Some(to) = to {
            *slot = to.is_on();
        }
    };
    toggle(&mut options.enabled, set.enabled);
    toggle(&mut options.copy_title, set.copy_title);
    toggle(&mut options.copy_description, set.copy_description);
    toggle(&mut options.copy_location, set.copy_location);
    toggle(&mut options.skip_all_day, set.skip_all_day);
    if let Some(title) = &set.title {
        options.title.clone_from(title);
    }
    if let Some(visibility) = set.visibility {
        options.visibility = match visibility {
            VisibilityArg::Private => Visibility::Private,
            VisibilityArg::Calendar => Visibility::Calendar,
        };
    }
    if let Some(colour) = &set.colour {
        options.colour = (colour != "none").then(|| colour.clone());
    }
    if let Some(hours) = &set.working_hours {
        options.working_hours.clone_from(&hours.0);
    }
    options.min_minutes = set.min_minutes.unwrap_or(options.min_minutes);
    options.buffer_before_minutes = set.buffer_before.unwrap_or(options.buffer_before_minutes);
    options.buffer_after_minutes = set.buffer_after.unwrap_or(options.buffer_after_minutes);
    if let Some(tentative) = set.tentative {
        options.tentative = match tentative {
            TentativeArg::AsTentative => Tentative::AsTentative,
            TentativeArg::AsBusy => Tentative::AsBusy,
            TentativeArg::Skip => Tentative::Skip,
        };
    }
    if let Some(tampered) = set.tampered {
        options.tampered = match tampered {
            TamperedArg::PutBack => Tampered::PutBack,
            TamperedArg::Leave => Tampered::Leave,
        };
    }
}
