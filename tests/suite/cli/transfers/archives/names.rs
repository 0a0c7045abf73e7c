//! File names and file types survive a transfer unchanged.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use super::{begin, has, put, there_and_back};

#[test]
fn an_empty_directory_comes_through() {
    let (home, serving) = begin();
    let came = there_and_back(&home, &serving);
    assert_eq!(fs::read_dir(came).unwrap().count(), 0);
}

#[test]
fn ten_thousand_small_files_come_through() {
    let (home, serving) = begin();
    for number in 0..10_000_u32 {
        put(&home, &format!("{:02}/{number}", number % 100), &vec![7; number as usize % 700]);
    }
    there_and_back(&home, &serving);
}

#[test]
fn a_deep_tree_comes_through() {
    let (home, serving) = begin();
    put(&home, &format!("{}f", "deeper/".repeat(100)), b"deep");
    fs::create_dir_all(home.path().join("sent/empty/empty")).unwrap();
    there_and_back(&home, &serving);
}

/// Returns file names in many scripts, in both Unicode normal forms, and of the maximum length.
fn names() -> Vec<String> {
    let mut names: Vec<_> = [
        "日本語の資料.txt",
        "Привет, мир",
        "שלום",
        "مرحبا",
        "می\u{200c}خواهم",
        "สวัสดี",
        "résumé",
        "re\u{301}sume\u{301}-nfd",
        "👨\u{200d}👩\u{200d}👧 🏳\u{fe0f}\u{200d}🌈",
        ".hidden",
        "-rf",
        "...",
        "a b  c",
        " leading and trailing ",
        "it's \"quoted\" & $(x) `y` *?[z]",
        "a:b|c<d>e",
        "aux.c",
        "%41+~#",
        "pax-header",
    ]
    .map(str::to_owned)
    .into();
    names.extend(["x".repeat(255), "ü".repeat(127), "日".repeat(85), "y".repeat(100), "z".repeat(101)]);
    names
}

#[test]
fn names_of_every_script_come_through_byte_for_byte() {
    let (home, serving) = begin();
    for name in names() {
        put(&home, &name, name.as_bytes());
    }
    // Paths longer than the longest name.
    put(&home, &format!("{}/{}", "日".repeat(80), "é".repeat(120)), b"below");
    put(&home, &format!("{}/{}/{}", "a".repeat(99), "b".repeat(99), "c".repeat(99)), b"below");
    there_and_back(&home, &serving);
}

#[test]
fn permissions_times_and_links_come_through() {
    let (home, serving) = begin();
    let tree = home.path().join("sent");
    for (path, mode) in [("run", 0o755), ("secret", 0o600), ("read", 0o444), ("d/f", 0o640), ("closed/f", 0o644)] {
        put(&home, path, path.as_bytes());
        fs::set_permissions(tree.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    for (target, link) in [("run", "link"), ("../run", "d/up"), ("nowhere", "dangling"), ("d", "to-directory")] {
        symlink(target, tree.join(link)).unwrap();
    }
    let times = [("run", 1), ("secret", 4_102_444_800), ("d/f", 951_782_400), ("d", 86_400), ("closed", 7)];
    for (path, seconds) in times {
        let file = fs::File::open(tree.join(path)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
    let old = fs::File::open(tree.join("read")).unwrap();
    old.set_modified(UNIX_EPOCH - Duration::from_hours(24)).unwrap();
    fs::set_permissions(tree.join("closed"), fs::Permissions::from_mode(0o500)).unwrap();
    fs::File::open(&tree).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(99)).unwrap();
    let came = there_and_back(&home, &serving);
    assert_eq!(fs::metadata(&came).unwrap().modified().unwrap(), UNIX_EPOCH + Duration::from_secs(99));
    for folder in [&tree, &came] {
        fs::set_permissions(folder.join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn hard_links_and_files_with_holes_come_through_as_their_content() {
    let (home, serving) = begin();
    put(&home, "one", b"twice");
    fs::hard_link(home.path().join("sent/one"), home.path().join("sent/two")).unwrap();
    let sparse = fs::File::create(home.path().join("sent/sparse")).unwrap();
    sparse.set_len(5_000_000).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"middle", 3_000_000).unwrap();
    there_and_back(&home, &serving);
}

#[test]
fn other_programs_read_the_archive() {
    if !has("tar") {
        return;
    }
    let (home, serving) = begin();
    for name in names() {
        put(&home, &format!("{name}/f"), name.as_bytes());
    }
    symlink(format!("{}/f", "x".repeat(255)), home.path().join("sent/link")).unwrap();
    let old = fs::File::open(home.path().join("sent/aux.c/f")).unwrap();
    old.set_modified(UNIX_EPOCH - Duration::from_secs(1)).unwrap();
    let link = home.run_at(&serving, &["upload", "sent"]).text();
    assert_eq!(home.run(&["download", &link, "--no-extract"]).text(), "sent.tar");
    let out = home.path().join("by-tar");
    fs::create_dir(&out).unwrap();
    let tar = |arguments: &[&str]| {
        let output = Command::new("tar").args(arguments).current_dir(home.path()).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    // GNU tar warns about implausible timestamps.
    tar(&["-xf", "sent.tar", "-C", "by-tar", "--no-same-owner", "-p", "--warning=no-timestamp"]);
    assert!(super::tree(&home.path().join("sent")) == super::tree(&out));
    let listed = tar(&["-tf", "sent.tar", "--quoting-style=literal"]);
    assert_eq!(String::from_utf8(listed).unwrap().lines().count(), 2 * names().len() + 1);
    // stdout receives the same bytes as the file.
    let piped = home.run(&["download", &link, "-o", "-"]).stdout;
    assert!(piped == fs::read(home.path().join("sent.tar")).unwrap());
}
