//! Handing a link on: as a QR code for a camera, or over the clipboard.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use super::printer::Printer;

/// What can be done with a link beside printing it.
#[derive(Args, Clone, Copy)]
pub(super) struct HandingOn {
    /// Show the link as a QR code too
    #[arg(long)]
    qr: bool,
    /// Copy the link to the clipboard too, where other programs of this user can read it
    #[arg(short, long)]
    copy: bool,
}

impl HandingOn {
    /// Hands on `link`, which has been printed: what fails is told, and no more.
    pub(super) fn run(self, link: &str, printer: &Printer) {
        if self.qr {
            match picture(link, printer.is_colored()) {
                Some(picture) => printer.picture(&picture),
                None => printer.warning("the link is too long for a QR code"),
            }
        }
        if self.copy {
            match copy(link, printer) {
                Ok(told) if printer.has_reader() => printer.note(told),
                Ok(_) => {}
                Err(error) => printer.warning(&format!("the link is not in the clipboard: {error}")),
            }
        }
    }
}

/// The QR code of `text`, in lines of half blocks. Dark on light where colours say so; else its light is drawn, as it must
/// be on the dark background that most terminals have.
fn picture(text: &str, colored: bool) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let mut renderer = code.render::<Dense1x2>();
    if colored {
        let lines = renderer.build();
        return Some(lines.lines().flat_map(|line| ["\u{1b}[30;107m", line, "\u{1b}[0m\n"]).collect());
    }
    Some(renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build() + "\n")
}

/// The programs that take a clipboard's new content from stdin, and the variable that says that they have one.
const PROGRAMS: [(Option<&str>, &str, &[&str]); 6] = [
    (Some("WAYLAND_DISPLAY"), "wl-copy", &["--sensitive"]),
    (Some("WAYLAND_DISPLAY"), "wl-copy", &[]),
    (Some("DISPLAY"), "xclip", &["-selection", "clipboard"]),
    (Some("DISPLAY"), "xsel", &["--clipboard", "--input"]),
    (Some("WSL_DISTRO_NAME"), "clip.exe", &[]),
    (None, "pbcopy", &[]),
];

/// Copies `text` by the first program that can, or else by asking the terminal to.
fn copy(text: &str, printer: &Printer) -> io::Result<&'static str> {
    let is_there = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    for (variable, program, arguments) in PROGRAMS {
        if variable.is_none_or(is_there) && give(program, arguments, text).is_ok() {
            return Ok("the link is in the clipboard");
        }
    }
    if !printer.stderr_is_terminal() {
        return Err(io::Error::other("there is no wl-copy, xclip, xsel or pbcopy, and no terminal"));
    }
    // "Manipulate Selection Data" of xterm's control sequences, which many terminals know, also over ssh.
    printer.picture(&format!("\u{1b}]52;c;{}\u{7}", STANDARD.encode(text)));
    Ok("the terminal was asked to put the link into the clipboard")
}

/// Gives `text` to a program on its stdin, where nobody else sees it.
fn give(program: &str, arguments: &[&str], text: &str) -> io::Result<()> {
    let mut command = Command::new(program);
    // Some of them stay to serve the clipboard: they must not hold our output open.
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let written = stdin.write_all(text.as_bytes());
    drop(stdin);
    let status = child.wait()?;
    written?;
    if status.success() { Ok(()) } else { Err(io::Error::other("the program has failed")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_fits_into_a_picture_for_a_terminal() {
        let link = format!("https://send.example.org/d/{}#v1p.{}", "0".repeat(32), "A".repeat(43));
        for colored in [true, false] {
            let picture = picture(&link, colored).unwrap();
            let width = picture.lines().map(|line| line.chars().filter(|c| !c.is_ascii()).count()).max().unwrap();
            assert!(width < 60 && picture.lines().count() < 30, "{picture}");
            assert_eq!(picture.contains('\u{1b}'), colored);
        }
        assert!(picture(&"x".repeat(5_000), true).is_none());
    }
}
