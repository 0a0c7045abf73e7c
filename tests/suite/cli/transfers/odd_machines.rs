//! Machines on which a system call, a standard stream or a file name is not as usual.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{BlockingProxy, Direction, FinishedCommand, Home, content, not_run};

/// Rebuilds a command so that the program in `wrapper` runs it.
fn wrapped(wrapper: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(wrapper[0]);
    outer.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args());
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    outer.env_clear().envs(variables);
    if let Some(directory) = command.get_current_dir() {
        outer.current_dir(directory);
    }
    outer
}

fn output(mut command: Command) -> FinishedCommand {
    FinishedCommand::of(command.output().unwrap())
}

/// Runs a shell script in which `"$@"` is the command.
fn in_shell(script: &str, command: &Command) -> FinishedCommand {
    output(wrapped(&["sh", "-c", script, "sh"], command))
}

/// Returns the wrapper in which these system calls fail, such as `fchmod:error=EPERM`. Returns `None` without strace.
fn failing(calls: &[&str]) -> Option<Vec<String>> {
    if Command::new("strace").arg("-V").output().is_err() {
        not_run("strace is missing, so no system call can be made to fail");
        return None;
    }
    let mut wrapper: Vec<_> = ["strace", "-f", "-qq", "-o", "/dev/null"].map(String::from).into();
    for call in calls {
        wrapper.extend(["-e".to_owned(), format!("inject={call}")]);
    }
    Some(wrapper)
}

#[test]
fn a_file_system_without_chmod_or_fsync_saves_files_with_a_warning() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let calls = ["fchmod:error=EPERM", "fsync:error=EINVAL", "syncfs:error=ENOSYS", "fchmodat,chmod:error=EOPNOTSUPP"];
    let Some(wrapper) = failing(&calls) else { return };
    let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();
    let link = home.run_at(&serving, &["upload", &home.file("a.txt", b"saved"), "--downloads", "1"]).text();
    let finished = output(wrapped(&wrapper, &home.sgsend(&["download", &link, "-o", "b.txt"])));
    assert_eq!(finished.text(), "b.txt", "{}", finished.stderr);
    assert_eq!(fs::read(home.path().join("b.txt")).unwrap(), b"saved");
    for warning in ["cannot set the permissions of b.txt", "cannot confirm that b.txt is on the disk"] {
        assert!(finished.stderr.contains(warning), "{}", finished.stderr);
    }

    fs::create_dir_all(home.path().join("tree/inner")).unwrap();
    home.file("tree/inner/file", b"content");
    let link = home.run_at(&serving, &["upload", "tree"]).text();
    let finished = output(wrapped(&wrapper, &home.sgsend(&["download", &link, "-o", "unpacked"])));
    assert_eq!(finished.text(), "unpacked", "{}", finished.stderr);
    assert_eq!(fs::read(home.path().join("unpacked/inner/file")).unwrap(), b"content");
    assert!(finished.stderr.contains("cannot set the permissions of "), "{}", finished.stderr);
}

#[test]
fn a_file_system_without_symlinks_or_links_keeps_the_rest_of_an_archive() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let calls = ["symlink,symlinkat:error=EPERM", "link,linkat:error=EPERM", "renameat2:error=EINVAL"];
    let Some(wrapper) = failing(&calls) else { return };
    let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();
    fs::create_dir(home.path().join("tree")).unwrap();
    home.file("tree/file", b"content");
    for name in ["one", "two"] {
        std::os::unix::fs::symlink("file", home.path().join("tree").join(name)).unwrap();
    }
    let link = home.run_at(&serving, &["upload", "tree"]).text();
    let finished = output(wrapped(&wrapper, &home.sgsend(&["download", &link, "-o", "unpacked"])));
    assert_eq!(finished.text(), "unpacked", "{}", finished.stderr);
    assert_eq!(fs::read(home.path().join("unpacked/file")).unwrap(), b"content");
    assert!(finished.stderr.contains("cannot create the symbolic link one and 1 more: "), "{}", finished.stderr);

    let link = home.run_at(&serving, &["upload", &home.file("single", b"one file")]).text();
    let finished = output(wrapped(&wrapper, &home.sgsend(&["download", &link, "-o", "saved"])));
    assert_eq!(finished.text(), "saved", "{}", finished.stderr);
    assert_eq!(fs::read(home.path().join("saved")).unwrap(), b"one file");
    let second = output(wrapped(&wrapper, &home.sgsend(&["download", &link, "-o", "saved", "--rename"])));
    assert_eq!(second.text(), "saved (1)", "{}", second.stderr);
}

#[test]
fn a_failing_disk_is_not_taken_for_a_missing_feature() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let Some(wrapper) = failing(&["fsync:error=EIO"]) else { return };
    let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();
    let link = home.run_at(&serving, &["upload", &home.file("a.txt", b"lost")]).text();
    let finished = output(wrapped(&wrapper, &home.sgsend(&["download", &link, "-o", "b.txt"])));
    assert_eq!(finished.exit, 9, "{}", finished.stderr);
    assert!(!home.path().join("b.txt").exists());
}

#[test]
fn a_disk_that_fails_late_keeps_the_part() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let bytes = content(3_000_000);
    let file = home.file("a.bin", &bytes);
    // Network file systems report a full disk, an exceeded quota or a lost write when the file is synced.
    for (call, words) in
        [("fsync:error=ENOSPC", "is full"), ("fsync:error=EDQUOT", "is full"), ("fsync:error=EIO", "cannot be written")]
    {
        let Some(wrapper) = failing(&[call]) else { return };
        let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();
        let link = home.run_at(&serving, &["upload", &file, "--downloads", "1"]).text();
        // An interrupted attempt saves its grant, for which the disk has to work.
        let proxy = BlockingProxy::to(&serving.public);
        proxy.close_after(Direction::Downstream, 2_000_000);
        let link = link.replace(&serving.public, &proxy.url);
        let arguments = ["download", &link, "-o", "b.bin", "--resume"];
        let mut download = home.sgsend(&arguments[..4]).stderr(Stdio::null()).spawn().unwrap();
        proxy.wait();
        assert!(Command::new("kill").arg(download.id().to_string()).status().unwrap().success());
        assert_eq!(download.wait().unwrap().code(), Some(143));
        proxy.open();
        let finished = output(wrapped(&wrapper, &home.sgsend(&arguments)));
        finished.expect_failure(9, words);
        assert!(finished.stderr.contains("--resume"), "{call}: {}", finished.stderr);
        assert!(!home.path().join("b.bin").exists(), "{call}");
        home.run(&arguments).text();
        assert!(fs::read(home.path().join("b.bin")).unwrap() == bytes, "{call}");
        fs::remove_file(home.path().join("b.bin")).unwrap();
        assert_eq!(home.run(&["status", &link, "--json"]).json()["download_count"], 1, "{call}");
    }
}

#[test]
fn a_closed_standard_stream_is_an_error_before_anything_is_lost() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"precious");
    let upload = home.sgsend(&["--server", &serving.public, "upload", &file]);
    in_shell(r#""$@" >&-"#, &upload).expect_failure(9, "stdout is closed");
    let from_stdin = home.sgsend(&["--server", &serving.public, "upload", "-"]);
    in_shell(r#""$@" <&-"#, &from_stdin).expect_failure(9, "stdin is closed");
    let overview = home.run_at(&serving, &["stats", "--json"]).json();
    assert_eq!(overview["transfers"]["completed"].as_u64(), Some(0), "{overview}");

    let link = home.run_at(&serving, &["upload", &file, "--downloads", "1"]).text();
    let download = home.sgsend(&["download", &link, "-o", "-"]);
    in_shell(r#""$@" >&-"#, &download).expect_failure(9, "stdout is closed");
    // The download was not counted.
    assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "precious");
    // An empty input is none that is closed.
    in_shell(r#""$@" </dev/null"#, &from_stdin).expect_failure(9, "stdin is empty");
    assert_eq!(in_shell(r#""$@" >/dev/null"#, &upload).exit, 0);
}

#[test]
fn an_ignored_interrupt_stays_ignored() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    let token = home.run_at(&serving, &["--quiet", "token", "create", "background"]).text();
    let proxy = BlockingProxy::to(&serving.public);
    let file = home.file("a.bin", &content(9_000_000));
    proxy.close_after(Direction::Upstream, 1_000_000);
    let upload = home.sgsend(&["--server", &proxy.url, "upload", &file]);
    let mut upload = wrapped(&["env", "--ignore-signal=INT"], &upload);
    let upload = upload.env("SGSEND_TOKEN", token).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    proxy.wait();
    assert!(Command::new("kill").args(["-INT", &upload.id().to_string()]).status().unwrap().success());
    proxy.open();
    let finished = FinishedCommand::of(upload.wait_with_output().unwrap());
    assert!(finished.text().starts_with("http"), "{}", finished.stderr);
}

#[test]
fn longest_names_are_renamed() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let name = format!("{}.txt", "n".repeat(251));
    let link = home.run_at(&serving, &["upload", &home.file(&name, b"long")]).text();
    for number in [1, 2] {
        let saved = home.run(&["download", &link, "--rename"]).text();
        assert_eq!(saved, format!("{} ({number}).txt", "n".repeat(247)));
        assert_eq!(fs::read(home.path().join(saved)).unwrap(), b"long");
    }
}

#[test]
fn overwriting_replaces_no_symlink_and_keeps_no_special_bits() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let link = home.run_at(&serving, &["upload", &home.file("a.txt", b"new")]).text();
    let victim = home.file("victim", b"old");
    std::os::unix::fs::symlink(&victim, home.path().join("link")).unwrap();
    let download = |path: &str| home.run(&["download", &link, "-o", path, "--overwrite"]);
    download("link").expect_failure(9, "symbolic link");
    assert!(home.path().join("link").is_symlink());
    assert_eq!(fs::read(&victim).unwrap(), b"old");
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o6755)).unwrap();
    assert_eq!(download(&victim).text(), victim);
    assert_eq!(fs::metadata(&victim).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn devices_and_pipes_receive_the_content() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let link = home.run_at(&serving, &["upload", &home.file("a.txt", b"streamed")]).text();
    for option in [&[][..], &["--overwrite"]] {
        let arguments = [&["download", &link, "-o", "/dev/null"], option].concat();
        assert_eq!(home.run(&arguments).text(), "");
    }
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    assert_eq!(home.run(&["download", &link, "-o", "/dev/stdout"]).text(), "streamed");
    let pipe = home.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    assert_eq!(home.run(&["download", &link, "-o", pipe.to_str().unwrap()]).text(), "");
    assert_eq!(reader.join().unwrap(), b"streamed");
    home.run(&["download", &link, "-o", "/dev/null", "--extract"]).expect_failure(2, "cannot unpack");
    assert!(!Path::new(&home.path().join("null")).exists());
}

#[test]
fn excluded_names_can_be_of_any_script_and_encoding() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    fs::create_dir(home.path().join("d")).unwrap();
    for name in ["é.txt", "日.txt", "kept.md"] {
        home.file(&format!("d/{name}"), b"x");
    }
    fs::write(home.path().join("d").join(OsStr::from_bytes(b"caf\xe9.txt")), "x").unwrap();
    let mut upload = home.sgsend(&["--server", &serving.public, "upload", "d", "--exclude", "?.txt", "--exclude"]);
    let finished = FinishedCommand::of(upload.arg(OsStr::from_bytes(b"caf\xe9.txt")).output().unwrap());
    assert!(!finished.stderr.contains("matches nothing"), "{}", finished.stderr);
    let link = finished.text();
    home.run(&["download", &link, "-o", "back"]).text();
    let names: Vec<_> =
        fs::read_dir(home.path().join("back")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["kept.md"]);
}

#[test]
fn a_deep_directory_is_sent_with_few_descriptors() {
    const DEPTH: usize = 250;
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let deepest = home.path().join("tree").join(["d"; DEPTH].join("/"));
    fs::create_dir_all(&deepest).unwrap();
    fs::write(deepest.join("file"), b"content").unwrap();
    let link = in_shell("ulimit -n 256 && exec \"$@\"", &home.sgsend(&["upload", "tree"])).text();
    home.run(&["download", &link, "-o", "unpacked"]).text();
    let unpacked = home.path().join("unpacked").join(["d"; DEPTH].join("/"));
    assert_eq!(fs::read(unpacked.join("file")).unwrap(), b"content");
}
