//! Info block of a transfer for users: name, size and message, as the sender says.

use bytesize::ByteSize;

use super::escape;
use super::plural::with_number;
use crate::domain::crypto::info::ContentInfo;
use crate::domain::file_name::safe_file_name;

/// Formats name, size and kind in one line.
pub(crate) fn line(info: &ContentInfo) -> String {
    let size = ByteSize(info.size);
    let name = safe_file_name(&info.filename);
    let name = escape::one_line(&name);
    match info.archive {
        Some(archive) => {
            let files = with_number(usize::try_from(archive.files).unwrap_or(usize::MAX), "file");
            format!("{name}: {files}, {size}")
        }
        None => format!("{name}: {size}"),
    }
}

/// Formats the message, whose lines follow the first line indented; `None` without a message.
pub(crate) fn message(info: &ContentInfo) -> Option<String> {
    let message = info.message.as_ref()?;
    Some(escape::lines(message).replace('\n', "\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::crypto::info::ArchiveInfo;

    #[test]
    fn text_of_the_sender_cannot_imitate_other_output() {
        let mut info = ContentInfo {
            filename: "../a\u{202e}b\n".to_owned(),
            size: 2_048,
            content_type: None,
            archive: None,
            message: Some("one\nwarning: two\u{1b}[2J".to_owned()),
            modified_ms: None,
        };
        let shown = line(&info);
        assert!(!shown.contains(['\u{202e}', '\n', '/']), "{shown:?}");
        assert!(shown.ends_with(": 2.0 KiB"), "{shown:?}");
        let text = message(&info).unwrap();
        assert!(text.starts_with("one\n  warning: two") && !text.contains('\u{1b}'), "{text:?}");
        info.archive = Some(ArchiveInfo { files: 1, bytes: 5 });
        info.message = None;
        assert!(line(&info).ends_with(": 1 file, 2.0 KiB"));
        assert_eq!(message(&info), None);
    }
}
