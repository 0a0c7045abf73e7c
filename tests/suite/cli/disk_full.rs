//! A disk without room.

use std::process::Command;

use crate::support::Home;

/// A small file system, unmounted on drop; `None` where this user may not mount one.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(path: std::path::PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&path);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            // Past the test harness, which would hide it.
            std::fs::write("/dev/stderr", "not run: cannot mount tmpfs\n").ok();
        }
        mounted.then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_server_without_room_says_so_and_goes_on_when_there_is_some() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(home.path().join("disk"), "24m") else { return };
    let serving = home.serve(&["--storage", &format!("file:{}", disk.0.join("store").display())]);
    home.log_in(&serving);
    let small = home.file("small.bin", &vec![1; 4_000_000]);
    let large = home.file("large.bin", &vec![2; 30_000_000]);
    let first = home.run_at(&serving, &["upload", &small]).text();
    let refused = home.run_at(&serving, &["upload", &large]);
    refused.failed(8, "full");
    let got = home.run(&["download", &first, "-o", "-"]);
    assert!(got.stdout == vec![1; 4_000_000], "the first upload was damaged: {}", got.stderr);
    home.run_at(&serving, &["upload", &small]).text();
}

#[test]
fn a_recipient_without_room_keeps_nothing_half_written() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(home.path().join("disk"), "2m") else { return };
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("large.bin", &vec![2; 9_000_000]);
    let link = home.run_at(&serving, &["upload", &file]).text();
    home.run(&["download", &link, "-o", disk.0.to_str().unwrap()]).failed(9, "");
    assert_eq!(std::fs::read_dir(&disk.0).unwrap().count(), 0, "something was left");
}
