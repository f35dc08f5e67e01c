//! The suite that every store passes: one function per rule of the port, each given an empty store. `store_contract!`
//! makes a test of each. What only one database can show (a full disk, a read-only file) is tested beside that store.
//!
//! Everything here is deterministic: times and ids are numbers, randomness comes from seeds that are printed.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;

use calsync_core::ports::Store;

pub mod alerts;
pub mod calendars;
pub mod concurrency;
pub mod fences;
pub mod figures;
pub mod freshness;
pub mod journal;
pub mod leases;
pub mod leaving;
pub mod listings;
pub mod model;
pub mod people;
pub mod prune;
pub mod receipt;
pub mod rules;
pub mod runs;
pub mod settle;
pub mod sign_in;
pub mod subscriptions;
pub mod walk;
pub mod world;

mod sequence;

/// An empty store, and whatever must live as long as it does (a directory, a server).
pub struct Fresh {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Dropped after the test.
    pub keep: Box<dyn Any + Send>,
}

/// A rule as a value: it fails by a panic.
pub type Rule = fn(Arc<dyn Store>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Every rule with its name, for whoever can't make a test of each.
pub fn rules() -> Vec<(&'static str, Rule)> {
    crate::store_contract!(@rules list ())
}

/// Makes one test of every rule. `$make` is an async function that returns a [`Fresh`] store.
#[macro_export]
macro_rules! store_contract {
    ($make:path) => {
        $crate::store_contract!(@rules modules $make);
    };
    (@rules $what:ident $make:tt) => {
        $crate::store_contract! { @$what $make;
            people: a_user_is_unique, accounts_are_asked_in_turn, removing_a_user_takes_everything, an_account_reconnected_keeps_its_id,
                credentials_are_replaced_only_from_the_version_read, an_account_status_tells_what_to_do,
                removing_an_account_replans_the_others, an_account_is_one_persons,
                removing_an_account_never_brings_the_whole_mesh, settings_are_initialised_once,
                a_setting_is_changed_only_from_what_was_read, a_user_state_is_whole;
            calendars: a_calendar_list_never_deletes, a_calendar_that_comes_back_is_read_in_full,
                a_calendar_switched_off_is_forgotten, a_listed_calendar_keeps_what_is_ours,
                raising_counts_and_brings_forward, switching_sync_replans_everybody,
                push_switches_make_the_calendar_due;
            rules: one_rule_per_pair, a_rule_raises_both_ends, wider_or_narrower_texts_ask_for_a_full_listing,
                the_first_and_the_last_rule_change_the_mesh, a_rule_stays_within_its_user,
                rules_are_changed_only_from_what_was_seen, a_calendar_is_enabled_with_its_rules,
                defaults_are_kept_and_go_with_their_user, one_of_many_changes_of_a_rule_wins;
            receipt: a_subscription_is_found_by_channel_then_by_age, a_delivery_raises_and_then_marks,
                a_duplicate_changes_nothing, a_confirmation_raises_nothing, a_delivery_needs_its_subscription,
                a_late_delivery_does_not_turn_the_clock_back;
            leases: the_longest_due_goes_first, a_live_lease_is_exclusive, an_expired_lease_is_taken_over, a_lease_from_the_future_is_taken_over,
                tokens_grow_across_releases, an_expired_lease_nobody_took_is_still_good,
                release_respects_what_was_raised_meanwhile, any_other_thing_can_be_leased, what_nobody_takes_up_is_overdue, a_due_time_is_brought_forward, nobody_claims_a_stranger;
            leaving: leaving_has_a_reason_until_it_is_over, coming_back_starts_anew,
                a_disabling_ends_without_a_trace_of_events, a_reset_forgets_all_but_what_stands,
                an_end_that_nobody_waits_for_changes_nothing, what_came_for_a_calendar_that_left_is_finished;
            fences: a_stale_worker_is_refused_everywhere, a_released_lease_is_refused_everywhere,
                a_refused_worker_changes_nothing;
            walk: a_pull_is_taken_over_whole, a_full_listing_clears_its_wish, targets_become_due,
                a_plan_replaces_the_outbox_and_keeps_tries, a_write_answers_the_first_change, a_plan_sets_and_clears_the_hold,
                writes_wait_in_order_until_their_time, waiting_writes_tell_when, an_approved_hold_is_planned_again,
                a_stale_plan_swallows_no_command, two_writes_of_one_block_are_refused;
            settle: a_stored_block_is_live, a_removed_block_is_gone_only_where_it_is_named,
                a_postponed_write_stays, a_surprise_is_planned_again, a_long_slice_is_one_fact,
                the_order_of_settlements_counts, settling_a_strangers_calendar_changes_nothing;
            journal: what_is_settled_is_noted, what_stood_before_is_remembered, a_listing_proves_what_was_written,
                copied_texts_go_with_the_rule, copied_texts_go_with_a_change_of_rules,
                copied_texts_go_with_the_calendar, nothing_is_copied_after_the_rule_changed,
                an_activity_has_pages, a_run_that_only_writes_is_shown, what_came_later_is_known,
                plans_for_several_targets_are_one_fact, a_reset_forgets_what_was_written, the_journal_is_pruned_by_age;
            runs: a_run_serves_all_that_waits, orphans_are_picked_up, the_third_failure_is_tried_again,
                success_answers_what_waits_for_another_try, success_clears_the_counters, failure_counts_once_per_run, a_targets_failure_blames_nobody,
                polling_and_success_are_dated, the_run_log_is_newest_first, a_replaced_channel_is_served_too,
                a_run_that_read_nothing_serves_only_its_own;
            subscriptions: one_active_per_calendar_and_provider, a_refused_replacement_reinstates_the_old,
                confirming_renews, the_silent_ones_are_found_even_if_never_heard, those_to_renew_longest_due_first,
                what_is_out_of_use_is_to_be_closed, switching_off_retires_its_channels,
                whoever_left_meanwhile_is_not_watched, an_orphan_is_learnt_once_and_closed,
                the_next_deed_at_a_channel_is_known, deliveries_are_measured, rollout_is_taken_over,
                failing_ones_worst_first, unwatched_calendars_are_those_that_could, expiry_is_swept, the_ended_are_named_and_all_are_counted,
                a_channel_id_is_unique;
            figures: no_notifications_are_no_problem, notification_figures_add_up, subscription_figures_add_up,
                active_subscriptions_are_counted, a_reading_verifies_the_silence, the_backlog_is_what_nobody_finished,
                due_retries_are_found, call_stats_add_up, hours_add_up, a_ping_is_answered;
            freshness: what_a_step_showed_of_rules_is_kept, rules_behind_are_found, delays_add_up,
                what_was_written_is_awaited_from_the_channel;
            listings: subscriptions_are_listed_by_what_is_asked, pages_cover_a_listing_once, a_person_has_their_own,
                notifications_are_listed_by_what_is_asked, a_replayed_notification_is_as_new, only_what_is_at_rest_is_replayed,
                rules_are_listed_with_their_delays, the_audit_log_is_listed;
            alerts: an_alert_is_open_once, alerts_are_counted_by_kind, one_of_two_tells, deliveries_end_one_by_one,
                a_message_is_taken_up_by_one,
                hours_keep_their_worst;
            sign_in: only_one_is_the_first, a_password_ends_sessions, a_session_ends, a_consent_is_taken_once,
                a_sign_in_elsewhere_is_answered_once, an_identity_is_one_users, one_of_many_comes_by_an_identity,
                an_access_token_is_its_users;
            prune: only_what_is_over_is_pruned, what_would_go_is_counted_exactly, a_gone_block_is_forgotten_in_the_end;
            concurrency: each_due_user_goes_to_one_of_many, one_of_many_equal_deliveries_is_new,
                failures_are_counted_exactly, deliveries_are_counted_exactly, a_job_goes_to_one_of_many;
            model: agrees_with_the_reference;
        }
    };
    (@list (); $($module:ident: $($test:ident),+;)+) => {
        vec![$($((stringify!($test), (|store| Box::pin($module::$test(store))) as Rule),)+)+]
    };
    (@modules $make:path; $($module:ident: $($test:ident),+;)+) => {$(
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let fresh: $crate::contract::Fresh = $make().await;
                $crate::contract::$module::$test(fresh.store.clone()).await;
                fresh.store.close().await;
            })+
        }
    )+};
}
