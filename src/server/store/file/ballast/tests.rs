//! Tests of the reserve.

use super::*;

fn blocks(directory: &Path) -> u64 {
    allocated(&std::fs::metadata(directory.join(FILE_NAME)).unwrap())
}

#[test]
fn a_full_disk_gets_no_more_of_the_reserve_than_it_needs() {
    let directory = tempfile::tempdir().unwrap();
    let ballast = Ballast::open(directory.path());
    let Reserve { held, target } = ballast.size();
    assert!(held == target && target == MAX_BYTES, "{held} of {target} are allocated");
    assert!(blocks(directory.path()) >= target);

    let mut failures = 2;
    let mut rest = Vec::new();
    let spent = ballast.spend(
        |error: &&str| *error == "full",
        || {
            rest.push(length(&File::open(directory.path().join(FILE_NAME)).unwrap()).unwrap());
            failures -= 1;
            if failures < 0 { Ok(()) } else { Err("full") }
        },
    );
    assert_eq!(spent, Ok(()));
    assert_eq!(rest, [target, target - target / STEPS, target - 2 * target / STEPS]);
    assert_eq!((ballast.missing(), ballast.refill()), (0, true), "what was left is not allocated again");

    let mut attempts = 0;
    let spent: Result<(), _> = ballast.spend(
        |error: &&str| *error == "full",
        || {
            attempts += 1;
            Err("full")
        },
    );
    assert_eq!((spent, attempts), (Err("full"), STEPS + 1));
    let other: Result<(), _> = ballast.spend(|error: &&str| *error == "full", || Err("broken"));
    assert_eq!((other, ballast.missing()), (Err("broken"), 0));
}

#[test]
fn a_reserve_that_lacks_less_than_a_step_is_completed() {
    let directory = tempfile::tempdir().unwrap();
    drop(Ballast::open(directory.path()));
    // As after a crash between two blocks.
    let file = OpenOptions::new().write(true).open(directory.path().join(FILE_NAME)).unwrap();
    for lacking in [1, MIN_STEP - 1, MIN_STEP, MIN_STEP + 1] {
        file.set_len(MAX_BYTES - lacking).unwrap();
        let ballast = Ballast::open(directory.path());
        assert_eq!(ballast.missing(), 0, "{lacking} bytes are never allocated");
    }
}

#[test]
fn nobody_allocates_again_what_another_process_uses() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (Ballast::open(directory.path()), Ballast::open(directory.path()));
    let used = one.spend(
        |()| true,
        || {
            let is_given_up = blocks(directory.path()) < MAX_BYTES;
            other.refill();
            if is_given_up && blocks(directory.path()) < MAX_BYTES { Ok(()) } else { Err(()) }
        },
    );
    assert_eq!(used, Ok(()));
    assert!(other.refill() && blocks(directory.path()) >= MAX_BYTES);
}

#[test]
fn holes_are_filled_with_blocks() {
    let directory = tempfile::tempdir().unwrap();
    File::create(directory.path().join(FILE_NAME)).unwrap().set_len(MAX_BYTES).unwrap();
    assert_eq!(Ballast::open(directory.path()).missing(), 0);
    assert!(blocks(directory.path()) >= MAX_BYTES);
    // As on a file system without `fallocate`.
    let mut file = tempfile::tempfile_in(directory.path()).unwrap();
    write_blocks(&mut file, 0, MIN_STEP).unwrap();
    assert!(allocated(&file.metadata().unwrap()) >= MIN_STEP);
}
