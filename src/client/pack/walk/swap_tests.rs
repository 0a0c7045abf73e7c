//! Other programs that replace entries by symbolic links, after they were listed or planned.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::location::Location;
use super::tests::{archive_bytes, names, packed, packed_with, write};
use super::tree::TreeError;
use super::*;
use crate::client::pack::beneath::is_replaced;
use crate::client::upload::{SourceChange, SourceError, UploadSource};

const SECRET: &[u8] = b"a secret outside of the root";

/// A folder to pack, `root`, beside a folder `outside` with files of the same names and sizes.
fn world() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "d/e/f", "d/g", "z"] {
        write(&folder.path().join("outside").join(name), SECRET);
        write(&folder.path().join("root").join(name), &vec![b'.'; SECRET.len()]);
    }
    folder
}

/// Replaces an entry of the root by a link to its counterpart outside.
fn swap(world: &Path, name: &str) {
    let at = |folder: &str| if name.is_empty() { world.join(folder) } else { world.join(folder).join(name) };
    fs::rename(at("root"), world.join("moved")).unwrap();
    symlink(at("outside"), at("root")).unwrap();
}

fn contains_secret(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET)
}

fn handle_tree(root: &Path) -> HandleTree {
    HandleTree::of(fs::File::open(root).unwrap().into())
}

/// Returns the path of the next entry, or of the one that cannot be listed, and its error.
fn next(tree: &mut HandleTree) -> Option<Result<(String, Location), (String, io::Error)>> {
    let text = |below: &Path| below.to_str().unwrap().to_owned();
    Some(match tree.next(&|_| false)? {
        Ok(entry) => Ok((text(&entry.below), entry.location)),
        Err(TreeError { below, cause: TreeFault::Read(error) }) => Err((text(&below), error)),
        Err(TreeError { cause: TreeFault::Loop | TreeFault::BrokenLink, .. }) => panic!("a link was followed"),
    })
}

#[test]
fn a_directory_swapped_between_listing_and_opening_is_not_entered() {
    for name in ["d", "d/e"] {
        let world = world();
        let mut tree = handle_tree(&world.path().join("root"));
        while next(&mut tree).unwrap().unwrap().0 != name {}
        swap(world.path(), name);
        let (refused, error) = next(&mut tree).unwrap().unwrap_err();
        assert!(refused == name && is_replaced(&error), "{refused}: {error}");
        assert_eq!(error.to_string(), "it was replaced by another file or a symlink");
        // The entries behind it follow.
        let rest: Vec<_> = std::iter::from_fn(|| next(&mut tree)).map(|entry| entry.unwrap().0).collect();
        assert_eq!(rest.last().map(String::as_str), Some("z"));
        assert!(rest.iter().all(|below| !below.starts_with("d/e")), "{rest:?}");
    }
}

#[test]
fn a_file_swapped_between_listing_and_opening_is_not_opened() {
    let world = world();
    let mut tree = handle_tree(&world.path().join("root"));
    let file = loop {
        match next(&mut tree).unwrap().unwrap() {
            (below, location) if below == "d/e/f" => break location,
            _ => {}
        }
    };
    assert_eq!(file.open().unwrap().size(), SECRET.len() as u64);
    swap(world.path(), "d/e/f");
    assert!(is_replaced(&file.open().unwrap_err()));
    // A directory further up makes no difference: its handle is open.
    let again = self::world();
    let mut tree = handle_tree(&again.path().join("root"));
    let listed: Vec<_> = std::iter::from_fn(|| next(&mut tree)).map(Result::unwrap).collect();
    swap(again.path(), "d");
    let (_, file) = listed.iter().find(|(below, _)| below == "d/e/f").unwrap();
    let mut content = [0; SECRET.len()];
    file.open().unwrap().read_exact_at(&mut content, 0).unwrap();
    assert!(!contains_secret(&content) && file.read_link().is_err());
}

#[test]
fn entries_swapped_after_planning_are_not_followed() {
    for name in ["a", "d/e/f", "d/e", "d"] {
        let world = world();
        let source = UploadSource::archive(packed(&world.path().join("root"), &[]).unwrap().plan, None);
        swap(world.path(), name);
        let mut bytes = vec![0; usize::try_from(source.size()).unwrap()];
        let error = source.read_exact_at(&mut bytes, 0).unwrap_err();
        assert!(!contains_secret(&bytes), "{name}");
        let file = if name == "a" { "a" } else { "d/e/f" };
        assert_eq!(error.to_string(), format!("{file} was replaced by another file or a symlink before it was sent"));
        assert!(matches!(error, SourceError::Changed { change: SourceChange::Replaced, .. }));
    }
}

#[test]
fn a_swapped_root_is_not_followed_whether_it_is_open_or_not() {
    let world = world();
    let input = |name: String| PackInput { name, path: world.path().join("root") };
    // More inputs than are kept open: the last is opened again.
    let inputs = || (100..200).map(|number| input(number.to_string())).collect();
    let plan = pack(inputs(), &PackOptions::default()).unwrap().plan;
    let expected = archive_bytes(&plan);
    assert!(!contains_secret(&expected));
    swap(world.path(), "");
    let mut bytes = vec![0; expected.len()];
    let error = plan.read_exact_at(&mut bytes, 0).unwrap_err();
    assert!(!contains_secret(&bytes));
    assert_eq!(error.to_string(), "164/a was replaced by another file or a symlink before it was sent");
    // Those that are open are read where they are now.
    let start = bytes.iter().rposition(|byte| *byte == b'.').unwrap();
    assert!(bytes[..start] == expected[..start] && start > 100_000);
    // Another directory instead of a link is no better.
    fs::remove_file(world.path().join("root")).unwrap();
    fs::rename(world.path().join("outside"), world.path().join("root")).unwrap();
    assert!(plan.read_exact_at(&mut bytes, 0).is_err() && !contains_secret(&bytes));
}

/// Creates a chain of `depth` directories, each with a file in front of and behind the next one.
fn chain(root: &Path, depth: usize) {
    let mut folder = root.to_owned();
    for _ in 0..depth {
        write(&folder.join("a"), b"x");
        write(&folder.join("z"), b"x");
        folder.push("d");
    }
    fs::create_dir(folder).unwrap();
}

#[test]
fn deep_trees_keep_few_directories_open() {
    const DEPTH: usize = 255;
    let folder = tempfile::tempdir().unwrap();
    chain(folder.path(), DEPTH);
    let mut tree = handle_tree(folder.path());
    let (mut listed, mut most) = (Vec::new(), 0);
    while let Some(entry) = next(&mut tree) {
        listed.push(entry.unwrap().0);
        most = most.max(tree.open_levels());
    }
    assert!((2..=17).contains(&most), "{most} directories are open");
    assert_eq!((listed.len(), listed.iter().collect::<BTreeSet<_>>().len()), (3 * DEPTH + 1, 3 * DEPTH + 1));
    let mut by_path = PathTree::of(folder.path().to_owned(), false);
    let expected: Vec<_> = std::iter::from_fn(|| by_path.next(&|_| false))
        .map(|entry| entry.unwrap_or_else(|_| panic!("an entry is missing")).below)
        .collect();
    assert!(listed.iter().map(Path::new).eq(expected.iter().map(PathBuf::as_path)), "the orders differ");
    let plan = packed(folder.path(), &[]).unwrap().plan;
    assert_eq!(names(&plan).len(), 3 * DEPTH);
    assert_eq!(plan.doubtful_ranges().unwrap(), []);
    archive_bytes(&plan);
}

#[test]
fn a_directory_that_is_opened_again_must_be_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    chain(&root, 40);
    let deepest = format!("{}d", "d/".repeat(39));
    let swaps: [fn(&Path); 2] = [
        |folder| {
            fs::create_dir(folder.join("root/d/d")).unwrap();
            write(&folder.join("root/d/d/z"), SECRET);
        },
        |folder| symlink(folder.join("moved"), folder.join("root/d/d")).unwrap(),
    ];
    for replace in swaps {
        let mut tree = handle_tree(&root);
        while next(&mut tree).unwrap().unwrap().0 != deepest {}
        fs::rename(root.join("d/d"), folder.path().join("moved")).unwrap();
        replace(folder.path());
        let rest: Vec<_> = std::iter::from_fn(|| next(&mut tree)).collect();
        let refused: Vec<_> = rest.iter().filter_map(|entry| entry.as_ref().err()).collect();
        // Those that were closed: none is read through the replaced directory.
        assert!(!refused.is_empty() && refused.iter().all(|(below, _)| below.starts_with("d/d")), "{refused:?}");
        assert!(refused.iter().any(|(_, error)| is_replaced(error)), "{refused:?}");
        assert!(matches!(rest.last(), Some(Ok((below, _))) if below == "z"), "what is above is listed");
        let _ = fs::remove_file(root.join("d/d")).or_else(|_| fs::remove_dir_all(root.join("d/d")));
        fs::rename(folder.path().join("moved"), root.join("d/d")).unwrap();
    }
}

#[test]
fn links_are_followed_on_request_only() {
    let world = world();
    let root = world.path().join("root");
    swap(world.path(), "d");
    let error = packed(&root, &[]).unwrap_err().to_string();
    assert_eq!(error, "d is a symlink that points outside the archive");
    let options = PackOptions { dereference: true, ..PackOptions::default() };
    assert!(contains_secret(&archive_bytes(&packed_with(&root, &options).unwrap().plan)));
}
