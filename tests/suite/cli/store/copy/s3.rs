//! Copies from and to buckets on real S3 servers.

use super::{KILLS, check_move, killed_again_and_again};
use crate::support::{Home, bucket};

fn a_folder(home: &Home) -> String {
    format!("file:{}", home.path().join("store").display())
}

fn a_bucket() -> String {
    bucket::fresh_from_anywhere().to_string()
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn a_service_moves_into_a_bucket() {
    let home = Home::new();
    check_move(&a_folder(&home), &a_bucket());
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn a_service_moves_from_a_bucket_to_a_folder() {
    let home = Home::new();
    check_move(&a_bucket(), &a_folder(&home));
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn a_service_moves_to_another_bucket() {
    check_move(&a_bucket(), &a_bucket());
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn a_killed_copy_into_a_bucket_resumes() {
    let home = Home::new();
    // After each kill, the next copy waits until the lease of the killed one expires (30 s).
    let kill_points = if std::env::var_os("S3_FULL").is_some() { KILLS } else { &KILLS[3..4] };
    killed_again_and_again(&a_folder(&home), &a_bucket(), kill_points);
}
