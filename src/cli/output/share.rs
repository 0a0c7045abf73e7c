//! Sharing a link: as a QR code, or through the clipboard.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use super::printer::Printer;

/// Options that share a link in addition to printing it.
#[derive(Args, Clone, Copy)]
pub(crate) struct ShareOptions {
    /// Also show the link as a QR code
    #[arg(long)]
    qr: bool,
    /// Also copy the link to the clipboard, where other programs of this user can read it
    #[arg(short, long)]
    copy: bool,
}

impl ShareOptions {
    /// Shares `link`, which was printed before; a failure is only a warning.
    pub(crate) fn run(self, link: &str, printer: &Printer) {
        if self.qr {
            match qr_code(link, printer.is_colored()) {
                Some(QrText { columns, .. }) if printer.columns().is_some_and(|width| width < columns) => {
                    let message = format!("the QR code needs a terminal with at least {columns} columns");
                    printer.warning(&message);
                }
                Some(qr_code) => printer.terminal_output(&qr_code.text),
                None => printer.warning("the link is too long for a QR code"),
            }
        }
        if self.copy {
            match copy(link, printer) {
                Ok(message) if printer.is_interactive() => printer.note(message),
                Ok(_) => {}
                Err(error) => printer.warning(&format!("the link was not copied to the clipboard: {error}")),
            }
        }
    }
}

/// Columns of the light margin on each side of a QR code: four modules (ISO/IEC 18004).
const MARGIN: usize = 4;

/// Rendered QR code.
struct QrText {
    text: String,
    /// Width in terminal columns.
    columns: usize,
}

/// Renders the QR code of `text` with half-block characters.
///
/// With colours, dark modules are black on white. Without colours, the light modules are drawn, since most terminals
/// have a dark background.
fn qr_code(text: &str, colored: bool) -> Option<QrText> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let columns = code.width() + 2 * MARGIN;
    let mut renderer = code.render::<Dense1x2>();
    let text = if colored {
        let lines = renderer.build();
        lines.lines().flat_map(|line| ["\u{1b}[30;107m", line, "\u{1b}[0m\n"]).collect()
    } else {
        renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build() + "\n"
    };
    Some(QrText { text, columns })
}

/// Clipboard programs that read stdin, each with the environment variable that indicates its clipboard.
const CLIPBOARD_PROGRAMS: [(Option<&str>, &str, &[&str]); 6] = [
    (Some("WAYLAND_DISPLAY"), "wl-copy", &["--sensitive"]),
    (Some("WAYLAND_DISPLAY"), "wl-copy", &[]),
    (Some("DISPLAY"), "xclip", &["-selection", "clipboard"]),
    (Some("DISPLAY"), "xsel", &["--clipboard", "--input"]),
    (Some("WSL_DISTRO_NAME"), "clip.exe", &[]),
    (None, "pbcopy", &[]),
];

/// Copies `text` with the first working clipboard program, or with the terminal's OSC 52 sequence.
fn copy(text: &str, printer: &Printer) -> io::Result<&'static str> {
    let is_set = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    for (variable, program, arguments) in CLIPBOARD_PROGRAMS {
        if variable.is_none_or(is_set) && pipe_to(program, arguments, text).is_ok() {
            return Ok("link copied to the clipboard");
        }
    }
    if !printer.stderr_is_terminal() {
        return Err(io::Error::other("found neither wl-copy, xclip, xsel or pbcopy nor a terminal"));
    }
    // OSC 52, "Manipulate Selection Data" in xterm's control sequences; many terminals support it, also over ssh.
    printer.terminal_output(&format!("\u{1b}]52;c;{}\u{7}", STANDARD.encode(text)));
    Ok("asked the terminal to copy the link to the clipboard")
}

/// Pipes `text` to the stdin of a program, so that it does not appear in the argument list.
fn pipe_to(program: &str, arguments: &[&str], text: &str) -> io::Result<()> {
    let mut command = Command::new(program);
    // Some programs keep running to serve the clipboard and must not inherit stdout and stderr.
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let written = stdin.write_all(text.as_bytes());
    drop(stdin);
    let status = child.wait()?;
    written?;
    if status.success() { Ok(()) } else { Err(io::Error::other("the clipboard program failed")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_qr_code_of_a_link_fits_on_a_terminal() {
        let link = format!("https://send.example.org/d/{}#v1p.{}", "0".repeat(32), "A".repeat(43));
        for colored in [true, false] {
            let QrText { text: qr_code, columns } = qr_code(&link, colored).unwrap();
            let visible = |line: &str| line.replace("\u{1b}[30;107m", "").replace("\u{1b}[0m", "").chars().count();
            let width = qr_code.lines().map(visible).max().unwrap();
            assert_eq!(width, columns);
            assert!(width < 60 && qr_code.lines().count() < 30, "{qr_code}");
            assert_eq!(qr_code.contains('\u{1b}'), colored);
        }
        assert!(qr_code(&"x".repeat(5_000), true).is_none());
    }
}
