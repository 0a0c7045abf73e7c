//! Conformance suite for all store backends, and tests specific to the `file:` store.
//!
//! A new backend joins with one line: `conformance!(name)`, where `backends::name` opens an empty store. A single-machine
//! backend adds `on_one_machine!(name, other_name)`. The `s3` cases need a server: `tests/s3.sh` runs them.

#![allow(clippy::unwrap_used, reason = "the lint exempts test functions, but not their helpers")]

mod backends;
mod bucket_faults;
mod bucket_leases;
mod disk_full;
#[path = "../support/faulty_bucket.rs"]
mod faulty_bucket;
mod file;
mod header;
mod listing;
#[path = "../support/not_run.rs"]
mod not_run;
mod payload_listing;
mod payload_writing;
mod payloads;
mod processes;
mod read_retention;
mod records;
#[path = "../support/small_disk.rs"]
mod small_disk;
mod stats;

/// Runs all cases of the suite on the stores opened by `backends::$backend`.
macro_rules! conformance {
    ($(#[$attribute:meta])* $backend:ident) => {
        mod $backend {
            cases! { $(#[$attribute])* $backend
                header {
                    the_first_header_is_kept
                    racing_processes_agree_on_the_header
                    an_older_header_is_upgraded_once
                    a_newer_store_is_rejected_and_stays_unchanged
                }
                records {
                    an_object_is_created_once
                    an_object_changes_only_from_the_version_read
                    a_conflict_writes_nothing
                    records_are_written_once
                    hints_can_be_put_repeatedly
                    removals_are_repeatable
                    values_are_kept_byte_for_byte
                    versions_are_never_reused
                    racing_tasks_lose_no_update
                    refused_commits_do_not_affect_others
                }
                read_retention {
                    reads_are_removed_before_changes
                }
                listing {
                    keys_come_in_order_and_in_pages
                    a_prefix_ends_where_it_should
                    a_cursor_outside_the_prefix_is_valid
                    objects_come_with_their_keys
                }
                stats {
                    tallies_are_added_per_day
                    racing_tallies_all_count
                }
                payload_writing {
                    an_upload_resumes_at_its_end
                    a_dropped_writer_keeps_its_bytes
                    a_discarded_write_leaves_nothing
                    a_write_at_another_offset_is_rejected
                    a_payload_has_one_writer
                    a_finished_payload_has_no_writer
                    a_writer_racing_with_finish_is_rejected_or_counted
                    a_size_mismatch_leaves_a_payload_unfinished
                    empty_writes_succeed
                    writes_to_a_removed_payload_are_discarded
                }
                payloads {
                    megabytes_come_back_byte_for_byte
                    ranges_are_exact
                    unfinished_payloads_are_not_readable
                    a_reader_of_a_removed_payload_reads_no_other_data
                    removing_is_repeatable
                    finishing_is_repeatable
                    finishing_loses_against_removing
                }
                payload_listing {
                    payloads_are_listed_in_order_and_in_pages
                    removed_payloads_are_not_listed
                    records_are_no_payloads
                }
            }
        }
    };
}

/// Runs the additional cases for single-machine backends. Commits are transactions, keys are not paths, and removing a
/// payload also ends its readers and writers.
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
            let (store, _kept) = crate::backends::$backend().await;
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
