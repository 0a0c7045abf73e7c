//! What holds for all commands: the environment, files, and the exit status.

/// A section, with what it lists: a term, and what is to be said of it.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

const SECTIONS: &[Section] = &[
    (
        "Environment",
        &[
            ("SGSEND_SERVER", "the public service, as --server"),
            ("SGSEND_ADMIN_SERVER", "the admin service, as --admin-server"),
            ("SGSEND_TOKEN", "the sender token, as --token"),
            ("SGSEND_TOKEN_FILE", "a file that holds it, as --token-file"),
            ("SGSEND_ADMIN_KEY", "the admin key"),
            ("SGSEND_ADMIN_KEY_FILE", "a file that holds it, as --admin-key-file"),
            ("SGSEND_AUTH_NAME", "the header that the admin key travels in, if not x-api-key"),
            ("SGSEND_KEY", "the key of a transfer, as --key of download and open"),
            ("SGSEND_PASSPHRASE_FILE", "a file that holds a passphrase, as --passphrase-file"),
            ("SGSEND_PROFILE", "the profile, as --profile"),
            ("SGSEND_CONFIG", "the configuration file, as --config"),
            ("SGSEND_LOG", "what services log"),
            ("SGSEND_…", "and a flag of serve in capitals: that flag, such as SGSEND_STORAGE"),
            ("NO_COLOR", "no colours, if it is not empty"),
            ("HTTPS_PROXY", "a proxy; also HTTP_PROXY, ALL_PROXY and NO_PROXY"),
        ],
    ),
    (
        "Files",
        &[
            ("~/.config/sgsend/config.toml", "the profiles (these places are those of Linux)"),
            ("~/.config/sgsend/admin-key", "the key that an admin service made for itself"),
            ("~/.local/state/sgsend/history.jsonl", "what was sent from here"),
            ("~/.local/state/sgsend/uploads, downloads", "what unfinished transfers need"),
            ("~/.local/share/sgsend/store", "what services store, unless --storage says otherwise"),
        ],
    ),
    (
        "Exit status",
        &[
            ("0", "done"),
            ("1", "anything that is not below"),
            ("2", "usage, a malformed link, or the configuration"),
            ("3", "not found"),
            ("4", "gone: expired, used up, or deleted"),
            ("5", "not authorised"),
            ("6", "a wrong key or passphrase, or a damaged payload"),
            ("7", "too large, a quota, or a rate limit"),
            ("8", "network or server fault: worth a retry"),
            ("9", "a local file: it exists, is unsafe, has changed, or the disk is full"),
            ("10", "as 8, after some bytes had arrived: worth a retry"),
            ("130, 143", "interrupted by SIGINT or SIGTERM"),
        ],
    ),
];

/// What stands between flags and the environment, in both forms.
const PRECEDENCE: &str = "A flag wins over the environment, the environment over the profile.";

/// The notes as they stand below a help text.
pub(super) fn as_help() -> String {
    let mut help = String::new();
    for (title, items) in SECTIONS {
        let width = items.iter().map(|(term, _)| term.chars().count()).max().unwrap_or_default();
        help.push_str(&[title, ":\n"].concat());
        for (term, text) in *items {
            let line = format!("  {term:<width$}  {text}\n");
            help.push_str(&line);
        }
        help.push('\n');
    }
    help + PRECEDENCE
}

/// The notes as a manual page has them.
pub(super) fn as_page(line_of: impl Fn(&str) -> String) -> String {
    let mut page = String::new();
    for (title, items) in SECTIONS {
        page.push_str(&[".SH \"", &title.to_uppercase(), "\"\n"].concat());
        for (term, text) in *items {
            page.push_str(&[".TP\n\\fB", &line_of(term), "\\fR\n", &line_of(text), "\n"].concat());
        }
        if *title == "Environment" {
            page.push_str(&[".PP\n", &line_of(PRECEDENCE), "\n"].concat());
        }
    }
    page
}
