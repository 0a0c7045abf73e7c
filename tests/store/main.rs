//! What every store does, whatever lies beneath; and what a `file:` store does besides.
//!
//! A further backend joins with one line: `conformance!(name)`, where `place::name` opens an empty store of it.

#![allow(clippy::unwrap_used, reason = "the lint spares only functions that are tests themselves, not what they call")]

mod disk_full;
mod file;
mod header;
mod listing;
mod payload_writing;
mod payloads;
mod place;
mod processes;
mod records;
mod stats;

/// Runs every case of the suite on the stores that `place::$backend` opens.
macro_rules! conformance {
    ($backend:ident) => {
        mod $backend {
            conformance! { @cases $backend
                header {
                    the_first_header_holds
                    racing_processes_agree_on_the_header
                }
                records {
                    an_object_is_created_once
                    an_object_changes_only_as_it_was_read
                    a_conflict_writes_nothing
                    records_are_written_once
                    hints_are_put_again_and_again
                    removals_are_repeatable
                    values_are_kept_byte_for_byte
                    no_version_comes_twice
                    racing_tasks_lose_no_update
                    refused_commits_leave_the_others_alone
                }
                listing {
                    keys_come_in_order_and_in_pages
                    a_prefix_ends_where_it_should
                    a_place_outside_the_prefix_is_no_error
                    objects_come_with_their_keys
                }
                stats {
                    tallies_add_up_over_days
                    racing_tallies_all_count
                }
                payload_writing {
                    an_upload_goes_on_where_it_ended
                    a_dropped_writer_leaves_what_it_wrote
                    a_discarded_write_leaves_nothing
                    a_write_elsewhere_than_at_the_end_is_refused
                    a_payload_has_one_writer
                    a_finished_payload_has_no_writer
                    a_writer_that_comes_while_it_is_finished_is_refused
                    a_payload_of_another_size_stays_unfinished
                    writing_nothing_is_no_error
                    a_removed_payload_swallows_what_its_writer_writes
                }
                payloads {
                    megabytes_come_back_byte_for_byte
                    ranges_are_exact
                    what_is_not_finished_is_not_read
                    a_reader_outlives_removal
                    removing_is_repeatable
                    finishing_is_repeatable
                    finishing_loses_against_removing
                }
            }
        }
    };
    (@cases $backend:ident $($subject:ident { $($case:ident)* })*) => {
        $($(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let (store, _kept) = crate::place::$backend().await;
                crate::$subject::$case(store).await;
            }
        )*)*
    };
}

conformance!(memory);
conformance!(file_directory);
