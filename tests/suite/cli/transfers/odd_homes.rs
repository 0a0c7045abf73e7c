//! Home directories that are missing, read-only, full or unreadable.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{ADMIN_KEY, FinishedCommand, Home, ServerProcess, SmallDisk, not_run};

const LENGTH: usize = 9_000_000;

/// A server, a token, and a file that needs saved state.
struct World {
    home: Home,
    serving: ServerProcess,
    token: String,
    file: String,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let serving = home.serve_any(&[]);
        let token = home.run_at(&serving, &["token", "create", "test"]).text();
        let file = home.file("large.bin", &vec![7; LENGTH]);
        Self { home, serving, token, file }
    }

    /// Returns the command with the token in the environment, and this home directory.
    fn command(&self, directory: Option<&Path>, arguments: &[&str]) -> Command {
        let mut command = self.home.sgsend(&[&["--server", &self.serving.public], arguments].concat());
        command.env("SGSEND_TOKEN", &self.token).env_remove("HOME").envs(directory.map(|path| ("HOME", path)));
        command
    }

    fn run(&self, directory: Option<&Path>, arguments: &[&str]) -> FinishedCommand {
        FinishedCommand::of(self.command(directory, arguments).output().unwrap())
    }

    /// Uploads and downloads a large file with this home directory.
    fn transfer(&self, directory: Option<&Path>) {
        let uploaded = self.run(directory, &["upload", &self.file, "--downloads", "5"]);
        assert!(uploaded.stderr.contains("cannot be resumed"), "{}", uploaded.stderr);
        let downloaded = self.run(directory, &["download", &uploaded.text(), "-o", "got.bin", "--overwrite"]);
        assert_eq!(downloaded.text(), "got.bin", "{}", downloaded.stderr);
        assert!(fs::read(self.home.path().join("got.bin")).unwrap() == vec![7; LENGTH]);
        let quiet = self.run(directory, &["upload", &self.file, "--no-resume-state", "--no-history"]);
        assert_eq!((quiet.exit, quiet.stderr.as_str()), (0, ""));
    }
}

#[test]
fn a_home_that_is_no_directory_or_missing_sends_files_of_any_size() {
    let world = World::new();
    let in_place = world.home.file("file", b"x");
    // A directory in `/proc` cannot be created by anybody.
    for directory in [Path::new("/proc/nowhere"), Path::new("/dev/null"), Path::new(&in_place)] {
        world.transfer(Some(directory));
        world.run(Some(directory), &["upload", &world.file, "--resume"]).text();
        assert_eq!(world.run(Some(directory), &["history"]).text(), "");
    }
}

#[test]
fn a_read_only_home_sends_files_of_any_size_and_shows_the_history() {
    let world = World::new();
    let Some(disk) = SmallDisk::mount("1m") else { return };
    let small = world.home.file("small", b"x");
    let link = world.run(Some(disk.path()), &["upload", &small]).text();
    let uploads = disk.path().join(".local/state/sgsend/uploads");
    fs::create_dir_all(&uploads).unwrap();
    fs::write(uploads.join("expired"), r#"{"v":3,"expires_at":1,"command":""}"#).unwrap();
    let remount = ["-o", "remount,ro"];
    assert!(Command::new("mount").args(remount).arg(disk.path()).status().unwrap().success());
    world.transfer(Some(disk.path()));
    let listed = world.run(Some(disk.path()), &["history"]);
    assert_eq!(listed.stderr, "", "state that cannot be removed is no error");
    let listed = listed.text();
    assert!(listed.lines().count() == 1 && listed.contains(link.split('#').next().unwrap()), "{listed}");
}

#[test]
fn a_full_home_sends_files_of_any_size() {
    let world = World::new();
    let Some(disk) = SmallDisk::mount("64k") else { return };
    assert!(fs::write(disk.path().join("full"), vec![0; 1_000_000]).is_err());
    world.transfer(Some(disk.path()));
}

#[test]
fn a_home_that_fills_up_during_an_upload_does_not_end_it() {
    let world = World::new();
    if Command::new("strace").arg("-V").output().is_err() {
        return not_run("strace is missing, so no system call can be made to fail");
    }
    let upload = world.command(Some(world.home.path()), &["upload", &world.file]);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=fdatasync:error=ENOSPC"]);
    traced.arg(upload.get_program()).args(upload.get_args()).env_clear().current_dir(world.home.path());
    traced.envs(upload.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let uploaded = FinishedCommand::of(traced.output().unwrap());
    assert!(uploaded.stderr.contains("cannot be resumed"), "{}", uploaded.stderr);
    let downloaded = world.run(None, &["download", &uploaded.text(), "-o", "-"]);
    assert!(downloaded.stdout == vec![7; LENGTH], "{}", downloaded.stderr);
    let state = world.home.path().join(".local/state/sgsend/uploads");
    assert_eq!(fs::read_dir(state).map_or(0, Iterator::count), 0);
}

/// Rebuilds a command to run as a user id without an account; `None` if that is not possible.
fn as_nobody(command: &Command) -> Option<FinishedCommand> {
    let mut outer = Command::new("setpriv");
    outer.args(["--reuid", "12345", "--regid", "12345", "--clear-groups", "--"]);
    outer.arg(command.get_program()).args(command.get_args()).env_clear().current_dir("/");
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let finished = outer.output().ok().map(FinishedCommand::of);
    match finished {
        Some(finished) if !finished.stderr.contains("setpriv: ") => Some(finished),
        _ => {
            not_run("setpriv is missing, or may not change the user id");
            None
        }
    }
}

/// Lets other users read the home directory.
fn open_up(home: &Home) {
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_user_without_an_account_sends_and_receives() {
    let world = World::new();
    open_up(&world.home);
    let Some(uploaded) = as_nobody(&world.command(None, &["upload", &world.file])) else { return };
    assert!(uploaded.stderr.contains("no home directory"), "{}", uploaded.stderr);
    let downloaded = as_nobody(&world.command(None, &["download", &uploaded.text(), "-o", "-"])).unwrap();
    assert!(downloaded.stdout == vec![7; LENGTH], "{}", downloaded.stderr);
    as_nobody(&world.command(None, &["history"])).unwrap().expect_failure(9, "no home directory");
    // A token that cannot be saved is not created.
    let mut create = world.command(None, &["--admin-server", &world.serving.admin, "token", "create", "x", "--login"]);
    let key = fs::read_to_string(world.home.path().join(".config/sgsend/admin-key")).unwrap();
    as_nobody(create.env("SGSEND_ADMIN_KEY", key.trim())).unwrap().expect_failure(2, "no home directory");
    let tokens = world.home.run_at(&world.serving, &["token", "list", "--json"]).json();
    assert_eq!(tokens["items"].as_array().unwrap().len(), 1, "{tokens}");
}

#[test]
fn other_processes_of_the_user_cannot_read_the_memory() {
    let world = World::new();
    open_up(&world.home);
    // Reads the environment, which is part of the memory, of a running server and of a process without protection.
    let script = r#"
        "$@" 2>/dev/null >/tmp/log.$$ & server=$!
        until grep -q listening /tmp/log.$$; do kill -0 $server || exit 9; sleep 0.05; done
        grep "Max core file size *0 *0 " /proc/$server/limits
        cat /proc/$$/environ >/dev/null && echo "the shell is readable"
        cat /proc/$server/environ >/dev/null 2>&1 && echo "the server is readable"
        kill $server; wait $server; rm /tmp/log.$$"#;
    let serve =
        ["serve", "all", "--json", "--storage", "memory:", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let serve = world.home.sgsend(&serve);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script, "sh"]).arg(serve.get_program()).args(serve.get_args());
    shell.env("PATH", "/usr/bin:/bin").env("SGSEND_ADMIN_KEY", ADMIN_KEY);
    let Some(shown) = as_nobody(&shell) else { return };
    let shown = shown.text();
    assert!(shown.contains("Max core file size") && shown.contains("the shell is readable"), "{shown}");
    assert!(!shown.contains("the server is readable"), "{shown}");
}

#[test]
fn an_unreadable_configuration_matters_only_where_it_is_needed() {
    let world = World::new();
    open_up(&world.home);
    let config = world.home.path().join(".config");
    let small = world.home.file("small", b"x");
    let id = |link: &str| link.split('#').next().unwrap().rsplit('/').next().unwrap().to_owned();
    let check = |run: &dyn Fn(&Command) -> FinishedCommand| {
        let directory = Some(world.home.path());
        let link = run(&world.command(directory, &["upload", &small])).text();
        assert_eq!(run(&world.command(directory, &["download", &link, "-o", "-"])).text(), "x");
        run(&world.command(directory, &["status", &id(&link)])).text();
        // The server, or the token, may be in the configuration.
        let mut unnamed = world.home.sgsend(&["upload", &small]);
        unnamed.env("SGSEND_TOKEN", &world.token);
        run(&unnamed).expect_failure(2, "cannot read the configuration");
        run(&world.home.sgsend(&["--server", &world.serving.public, "upload", &small]))
            .expect_failure(2, "cannot read the config");
        run(&world.home.sgsend(&["status", &id(&link)])).expect_failure(2, "cannot read the configuration");
        run(&world.command(directory, &["-P", "work", "upload", &small])).expect_failure(2, "configuration");
        assert_eq!(run(&world.home.sgsend(&["download", &link, "-o", "-"])).text(), "x");
    };
    // Another user's directory, with mode 000.
    fs::create_dir_all(config.join("sgsend")).unwrap();
    fs::write(config.join("sgsend/config.toml"), "").unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o000)).unwrap();
    if as_nobody(&world.command(None, &["man"])).is_some() {
        check(&|command| as_nobody(command).unwrap());
    }
    fs::remove_dir_all(&config).unwrap();
    // A directory in place of the file.
    let file: PathBuf = config.join("sgsend/config.toml");
    fs::create_dir_all(&file).unwrap();
    check(&|command| {
        let mut second = Command::new(command.get_program());
        second.args(command.get_args()).env_clear().current_dir(world.home.path());
        second.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        FinishedCommand::of(second.output().unwrap())
    });
    // A file in place of the directory can contain no configuration.
    fs::remove_dir_all(&config).unwrap();
    fs::write(&config, "x").unwrap();
    world.run(Some(world.home.path()), &["upload", &small]).text();
    world.home.run(&["--server", &world.serving.public, "upload", &small]).expect_failure(5, "no sender token");
}
