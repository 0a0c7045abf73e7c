//! Usage examples: one text file per command; a `#` line describes the command lines below it.

/// Examples by command name; names of subcommands are joined with hyphens.
const EXAMPLES: &[(&str, &str)] = &[
    ("sgsend", include_str!("examples/sgsend.txt")),
    ("upload", include_str!("examples/upload.txt")),
    ("download", include_str!("examples/download.txt")),
    ("open", include_str!("examples/open.txt")),
    ("status", include_str!("examples/status.txt")),
    ("watch", include_str!("examples/watch.txt")),
    ("delete", include_str!("examples/delete.txt")),
    ("edit", include_str!("examples/edit.txt")),
    ("link", include_str!("examples/link.txt")),
    ("link-add", include_str!("examples/link-add.txt")),
    ("link-list", include_str!("examples/link-list.txt")),
    ("link-edit", include_str!("examples/link-edit.txt")),
    ("link-revoke", include_str!("examples/link-revoke.txt")),
    ("request", include_str!("examples/request.txt")),
    ("request-create", include_str!("examples/request-create.txt")),
    ("request-list", include_str!("examples/request-list.txt")),
    ("request-show", include_str!("examples/request-show.txt")),
    ("request-revoke", include_str!("examples/request-revoke.txt")),
    ("request-download", include_str!("examples/request-download.txt")),
    ("list", include_str!("examples/list.txt")),
    ("history", include_str!("examples/history.txt")),
    ("key", include_str!("examples/key.txt")),
    ("key-new", include_str!("examples/key-new.txt")),
    ("key-show", include_str!("examples/key-show.txt")),
    ("key-import", include_str!("examples/key-import.txt")),
    ("contact", include_str!("examples/contact.txt")),
    ("contact-add", include_str!("examples/contact-add.txt")),
    ("contact-list", include_str!("examples/contact-list.txt")),
    ("contact-remove", include_str!("examples/contact-remove.txt")),
    ("token", include_str!("examples/token.txt")),
    ("token-create", include_str!("examples/token-create.txt")),
    ("token-list", include_str!("examples/token-list.txt")),
    ("token-update", include_str!("examples/token-update.txt")),
    ("token-revoke", include_str!("examples/token-revoke.txt")),
    ("login", include_str!("examples/login.txt")),
    ("stats", include_str!("examples/stats.txt")),
    ("admin", include_str!("examples/admin.txt")),
    ("admin-list", include_str!("examples/admin-list.txt")),
    ("admin-delete", include_str!("examples/admin-delete.txt")),
    ("audit", include_str!("examples/audit.txt")),
    ("audit-show", include_str!("examples/audit-show.txt")),
    ("health", include_str!("examples/health.txt")),
    ("doctor", include_str!("examples/doctor.txt")),
    ("sweep", include_str!("examples/sweep.txt")),
    ("store", include_str!("examples/store.txt")),
    ("store-backup", include_str!("examples/store-backup.txt")),
    ("store-copy", include_str!("examples/store-copy.txt")),
    ("store-check", include_str!("examples/store-check.txt")),
    ("serve", include_str!("examples/serve.txt")),
    ("serve-public", include_str!("examples/serve-public.txt")),
    ("serve-admin", include_str!("examples/serve-admin.txt")),
    ("serve-all", include_str!("examples/serve-all.txt")),
    ("completions", include_str!("examples/completions.txt")),
    ("man", include_str!("examples/man.txt")),
];

/// Returns the examples of a command.
pub(super) fn of(name: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(command, _)| *command == name).map(|(_, text)| *text)
}

/// Formats examples for a help text.
pub(super) fn as_help(text: &str) -> String {
    text.lines().fold("Examples:".to_owned(), |help, line| help + "\n  " + line)
}

/// Formats examples for a manual page: each description, followed by its command lines.
pub(super) fn as_page(text: &str, line_of: impl Fn(&str) -> String) -> String {
    let mut page = ".SH EXAMPLES\n".to_owned();
    let mut in_code = false;
    for line in text.lines() {
        let words = line.strip_prefix("# ");
        let parts: &[&str] = match words {
            Some(words) if in_code => &[".fi\n.RE\n.PP\n", &line_of(words), ":\n"],
            // A section starts a paragraph, so no .PP here.
            Some(words) => &[&line_of(words), ":\n"],
            None if in_code => &[&line_of(line), "\n"],
            None => &[".PP\n.RS 4\n.nf\n", &line_of(line), "\n"],
        };
        page.push_str(&parts.concat());
        in_code = words.is_none();
    }
    page.push_str(if in_code { ".fi\n.RE\n" } else { "" });
    page
}

/// Returns the names of all commands with examples.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().map(|(name, _)| *name)
}

/// Returns the arguments of each `sgsend` command in a shell line.
#[cfg(test)]
pub(super) fn calls(line: &str) -> Vec<Vec<String>> {
    let (mut words, mut word, mut quote) = (vec![String::new()], None::<String>, None);
    for letter in line.chars().chain([' ']) {
        match (quote, letter) {
            (Some(end), _) if letter == end => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ' | '|' | '>') => {
                words.extend(word.take());
                if letter != ' ' {
                    words.push(String::new());
                }
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    // An empty word separates commands.
    let commands = words.split(String::is_empty).filter(|words| words.first().is_some_and(|word| word == "sgsend"));
    commands.map(<[String]>::to_vec).collect()
}
