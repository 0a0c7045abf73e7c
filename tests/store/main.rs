//! What every store does, whatever lies beneath; and what a `file:` store does besides.
//!
//! A further backend joins with one line: `conformance!(name)`, where `place::name` opens an empty store of it. One on
//! one machine says `on_one_machine!(name, other_name)` besides. The cases of `s3` need a server: `tests/s3.sh` runs them.

#![allow(clippy::unwrap_used, reason = "the lint spares only functions that are tests themselves, not what they call")]

mod bucket_faults;
mod disk_full;
#[path = "../support/faulty.rs"]
mod faulty;
mod file;
mod header;
mod listing;
#[path = "../support/not_run.rs"]
mod not_run;
mod payload_listing;
mod payload_writing;
mod payloads;
mod place;
mod processes;
mod records;
#[path = "../support/small_disk.rs"]
mod small_disk;
mod stats;

/// Runs every case of the suite on the stores that `place::$backend` opens.
macro_rules! conformance {
    ($(#[$attribute:meta])* $backend:ident) => {
        mod $backend {
            cases! { $(#[$attribute])* $backend
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
                    a_reader_of_what_is_removed_reads_nothing_else
                    removing_is_repeatable
                    finishing_is_repeatable
                    finishing_loses_against_removing
                }
                payload_listing {
                    payloads_are_listed_in_order_and_in_pages
                    what_is_removed_is_not_listed
                    records_are_no_payloads
                }
            }
        }
    };
}

/// Runs the cases that hold besides where nothing is far away: commits are transactions, keys are no paths, and what is
/// removed is gone for those who read or write it, too.
macro_rules! on_one_machine {
    ($backend:ident, $module:ident) => {
        mod $module {
            cases! { $backend
                records {
                    a_conflict_leaves_no_hints
                }
                listing {
                    a_key_can_be_the_folder_of_another
                }
                payloads {
                    removal_ends_readers_and_writers
                }
            }
        }
    };
}

macro_rules! cases {
    (@one [$(#[$attribute:meta])*] $backend:ident $subject:ident $case:ident) => {
        $(#[$attribute])*
        #[tokio::test(flavor = "multi_thread")]
        async fn $case() {
            let (store, _kept) = crate::place::$backend().await;
            crate::$subject::$case(store).await;
        }
    };
    (@subject $attributes:tt $backend:ident $subject:ident { $($case:ident)* }) => {
        $(cases! { @one $attributes $backend $subject $case })*
    };
    (@all $attributes:tt $backend:ident $($subject:ident $cases:tt)*) => {
        $(cases! { @subject $attributes $backend $subject $cases })*
    };
    ($(#[$attribute:meta])* $backend:ident $($subject:ident $cases:tt)*) => {
        cases! { @all [$(#[$attribute])*] $backend $($subject $cases)* }
    };
}

conformance!(memory);
on_one_machine!(memory, memory_alone);
conformance!(file_directory);
on_one_machine!(file_directory, file_directory_alone);
conformance! {
    #[ignore = "needs an S3 server: tests/s3.sh"]
    s3
}
