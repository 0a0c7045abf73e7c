//! Files that other programs touch, move, extend or rewrite during an upload, or before it resumes.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::{World, spawn_command, start_partial_upload, unfinished_transfers};
use crate::support::{Direction, FinishedCommand, content};

const LENGTH: u32 = 20 << 20;

/// A change of the file at this path.
type Change = fn(&Path);

/// Runs an upload that stops in the middle, makes the change, and lets the upload finish.
fn change_during_upload(world: &World, arguments: &[&str], change: impl FnOnce()) -> FinishedCommand {
    world.proxy.close_after(Direction::Upstream, 12 << 20);
    let upload = spawn_command(world.command(&[&["upload"], arguments].concat()));
    world.proxy.wait();
    change();
    world.proxy.open();
    FinishedCommand::of(upload.wait_with_output().unwrap())
}

fn run(program: &str, arguments: &[&Path]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
}

fn append(path: &Path) {
    fs::File::options().append(true).open(path).unwrap().write_all(b"a new line\n").unwrap();
}

fn touch(path: &Path) {
    fs::File::options().write(true).open(path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
}

/// Changes a byte at this offset.
fn rewrite(path: &Path, offset: usize) {
    use std::os::unix::fs::FileExt;
    fs::File::options().write(true).open(path).unwrap().write_at(b"?", offset as u64).unwrap();
}

fn download_content(world: &World, sent: &FinishedCommand) -> Vec<u8> {
    let finished = world.run(&["download", &sent.text(), "-o", "-"]);
    assert_eq!(finished.exit, 0, "{}", finished.stderr);
    finished.stdout
}

#[test]
fn changes_of_metadata_do_not_end_an_upload() {
    let world = World::new();
    let content = content(LENGTH);
    let changes: [(&str, Change); 4] = [
        ("chmod", |path| run("chmod", &[Path::new("600"), path])),
        ("ln", |path| run("ln", &[path, &path.with_extension("link")])),
        ("touch", touch),
        ("mv", |path| run("mv", &[path, &path.with_extension("moved")])),
    ];
    for (name, change) in changes {
        let file = world.home.file("a.bin", &content);
        let finished = change_during_upload(&world, &[&file], || change(Path::new(&file)));
        assert!(download_content(&world, &finished) == content, "{name}");
    }
    assert_eq!(world.count_transfers("deleted"), 0);
}

#[test]
fn changes_of_metadata_do_not_end_the_upload_of_a_directory() {
    let world = World::new();
    let content = content(LENGTH);
    let tree = world.home.path().join("tree");
    fs::create_dir(&tree).unwrap();
    world.home.file("tree/a.bin", &content);
    world.home.file("tree/z", b"last");
    let finished = change_during_upload(&world, &["tree"], || {
        touch(&tree.join("z"));
        run("chmod", &[Path::new("600"), &tree.join("a.bin")]);
        run("mv", &[&tree, &tree.with_extension("moved")]);
    });
    let link = finished.text();
    world.run(&["download", &link, "-o", "back"]).text();
    assert!(fs::read(world.home.path().join("back/a.bin")).unwrap() == content);
    assert_eq!(fs::read(world.home.path().join("back/z")).unwrap(), b"last");
}

#[test]
fn changed_content_ends_an_upload_and_leaves_no_state() {
    let world = World::new();
    let content = content(LENGTH);
    let changes: [(&str, Change); 4] = [
        ("changed", |path| rewrite(path, 1_000_000)),
        ("became shorter", |path| fs::File::options().write(true).open(path).unwrap().set_len(15 << 20).unwrap()),
        ("grew", append),
        // The modification time is set back.
        ("changed", |path| {
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            rewrite(path, 5);
            fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
        }),
    ];
    for (number, (words, change)) in (1..).zip(changes) {
        let file = world.home.file("a.bin", &content);
        let finished = change_during_upload(&world, &[&file], || change(Path::new(&file)));
        finished.expect_failure(9, words);
        assert!(finished.stderr.contains("the transfer was deleted"), "{}", finished.stderr);
        assert_eq!(finished.stderr.contains("--snapshot"), words == "grew", "{}", finished.stderr);
        assert_eq!((unfinished_transfers(&world.home, "uploads"), world.count_transfers("deleted")), (vec![], number));
    }
}

#[test]
fn a_snapshot_of_a_growing_log_is_sent() {
    let world = World::new();
    let content = content(LENGTH);
    let file = world.home.file("a.log", &content);
    let finished = change_during_upload(&world, &[&file, "--snapshot"], || append(Path::new(&file)));
    assert!(download_content(&world, &finished) == content);

    // Rewritten and truncated files are no logs.
    let changes: [(&str, Change); 2] =
        [("changed", |path| rewrite(path, 1_000_000)), ("became shorter", |path| fs::write(path, "new log").unwrap())];
    for (words, change) in changes {
        let file = world.home.file("a.log", &content);
        change_during_upload(&world, &[&file, "--snapshot"], || change(Path::new(&file))).expect_failure(9, words);
    }

    // Resumed: the file had its size at the first start.
    let file = world.home.file("a.log", &content);
    start_partial_upload(&world, &file, &["--snapshot"]);
    append(Path::new(&file));
    let resumed = world.run(&["upload", &file, "--snapshot", "--resume"]);
    assert!(download_content(&world, &resumed) == content);
}

#[test]
fn a_snapshot_of_a_directory_is_sent() {
    let world = World::new();
    let content = content(LENGTH);
    fs::create_dir(world.home.path().join("logs")).unwrap();
    for name in ["a.log", "z.log"] {
        world.home.file(&format!("logs/{name}"), if name == "a.log" { &content } else { b"line\n" });
    }
    let grow = || ["a.log", "z.log"].iter().for_each(|name| append(&world.home.path().join("logs").join(name)));
    let finished = change_during_upload(&world, &["logs", "--snapshot"], grow);
    let check = |link: &str, name: &str, length: usize| {
        world.run(&["download", link, "-o", name]).text();
        assert!(fs::read(world.home.path().join(name).join("a.log")).unwrap() == content);
        assert_eq!(fs::read(world.home.path().join(name).join("z.log")).unwrap().len(), length);
    };
    check(&finished.text(), "back", 5);

    world.home.file("logs/a.log", &content);
    start_partial_upload(&world, "logs", &["--snapshot"]);
    grow();
    let resumed = world.run(&["upload", "logs", "--snapshot", "--resume"]);
    check(&resumed.text(), "again", 16);
    change_during_upload(&world, &["logs"], grow).expect_failure(9, ".log grew");
}

#[test]
fn content_decides_whether_an_upload_resumes() {
    let world = World::new();
    let content = content(LENGTH);
    let file = world.home.file("a.bin", &content);
    start_partial_upload(&world, &file, &[]);
    let id = unfinished_transfers(&world.home, "uploads").pop().unwrap();
    touch(Path::new(&file));
    run("chmod", &[Path::new("600"), Path::new(&file)]);
    let resumed = world.run(&["upload", &file, "--resume", "--json"]).json();
    assert_eq!(resumed["transfer_id"], id.as_str());

    fs::create_dir(world.home.path().join("tree")).unwrap();
    let inner = world.home.path().join("tree/a.bin");
    fs::write(&inner, &content).unwrap();
    start_partial_upload(&world, "tree", &[]);
    let id = unfinished_transfers(&world.home, "uploads").pop().unwrap();
    touch(&inner);
    run("chmod", &[Path::new("600"), &inner]);
    let resumed = world.run(&["upload", "tree", "--resume", "--json"]).json();
    assert_eq!(resumed["transfer_id"], id.as_str());
    world.run(&["download", resumed["link"].as_str().unwrap(), "-o", "back"]).text();
    assert!(fs::read(world.home.path().join("back/a.bin")).unwrap() == content);
    assert_eq!((unfinished_transfers(&world.home, "uploads"), world.count_transfers("deleted")), (vec![], 0));
}
