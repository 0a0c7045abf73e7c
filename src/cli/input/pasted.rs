//! Reads pasted text from the terminal without echo, to the end of the paste instead of its first line.
//!
//! A link that a mail program has wrapped contains line breaks. Read line by line, its rest would stay in the terminal,
//! and the shell would show it and run it as a command.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Maximum length of an answer in bytes; more is dropped.
const MAX_BYTES: usize = 64 * 1024;
/// Time after a line break until the input counts as ended, in the terminal driver's unit of 100 ms.
const QUIET_TIME: u8 = 1;
/// Shortest time that the terminal driver waits. A shorter read without input means that the terminal is closed.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

const PASTE_BEGINS: &[u8] = b"[200~";
const PASTE_ENDS: &[u8] = b"[201~";

/// The terminal of this process, without echo until drop, which also ends its reader.
pub(super) struct HiddenTerminal {
    device: File,
    saved: Termios,
    /// Whether the terminal was asked to mark pasted text.
    marks_pastes: bool,
    is_cancelled: Arc<AtomicBool>,
}

/// Reads an answer from the terminal.
pub(super) struct AnswerReader {
    device: File,
    is_cancelled: Arc<AtomicBool>,
}

impl HiddenTerminal {
    /// Turns echo off.
    pub(super) fn open() -> io::Result<Self> {
        let mut device = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let saved = tcgetattr(&device)?;
        let mut hidden = saved.clone();
        hidden.local_modes &= !(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        hidden.special_codes[SpecialCodeIndex::VMIN] = 0;
        hidden.special_codes[SpecialCodeIndex::VTIME] = QUIET_TIME;
        tcsetattr(&device, OptionalActions::Now, &hidden)?;
        let marks_pastes = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        if marks_pastes {
            device.write_all(b"\x1b[?2004h")?;
        }
        Ok(Self { device, saved, marks_pastes, is_cancelled: Arc::default() })
    }

    /// Returns the reader of the answer, for another thread.
    pub(super) fn reader(&self) -> io::Result<AnswerReader> {
        Ok(AnswerReader { device: self.device.try_clone()?, is_cancelled: self.is_cancelled.clone() })
    }
}

impl AnswerReader {
    /// Reads until the answer is complete, or the terminal is dropped. Blocks.
    ///
    /// # Errors
    /// `Interrupted` at Ctrl-C and after the drop, `UnexpectedEof` at Ctrl-D without a text.
    pub(super) fn read(mut self) -> io::Result<Zeroizing<String>> {
        let mut answer = Answer::new();
        let mut empty_reads = 0;
        while !self.is_cancelled.load(Ordering::Relaxed) {
            let (mut byte, begun) = ([0], Instant::now());
            if self.device.read(&mut byte)? == 0 {
                if answer.is_complete() {
                    return Ok(answer.into_text());
                }
                empty_reads = if begun.elapsed() < SHORTEST_WAIT { empty_reads + 1 } else { 0 };
                if empty_reads > 3 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            }
            answer.push(byte[0])?;
        }
        Err(io::ErrorKind::Interrupted.into())
    }
}

impl Drop for HiddenTerminal {
    fn drop(&mut self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        // Without a terminal, nobody sees its state.
        let _ = self.device.write_all(if self.marks_pastes { b"\x1b[?2004l" } else { b"" as &[u8] });
        // Drops input that is still unread, since the shell would take it for a command.
        let _ = tcsetattr(&self.device, OptionalActions::Flush, &self.saved);
    }
}

/// The bytes typed or pasted so far.
struct Answer {
    bytes: Zeroizing<Vec<u8>>,
    /// Escape sequence that has begun, without its escape character.
    escape: Option<Vec<u8>>,
    is_pasting: bool,
}

impl Answer {
    fn new() -> Self {
        // Allocated once: reallocation would leave copies of the answer in memory.
        Self { bytes: Zeroizing::new(Vec::with_capacity(MAX_BYTES)), escape: None, is_pasting: false }
    }

    /// Returns whether the last byte is a line break that ends the answer if nothing follows at once.
    fn is_complete(&self) -> bool {
        !self.is_pasting && self.bytes.last() == Some(&b'\n')
    }

    /// Takes one byte from the terminal.
    ///
    /// # Errors
    /// Fails with `Interrupted` at Ctrl-C, and with `UnexpectedEof` at Ctrl-D without a text.
    fn push(&mut self, byte: u8) -> io::Result<()> {
        if let Some(escape) = &mut self.escape {
            escape.push(byte);
            let is_sequence = escape[0] == b'[';
            if !is_sequence || (escape.len() > 1 && (0x40..=0x7e).contains(&byte)) || escape.len() > 16 {
                match escape.as_slice() {
                    PASTE_BEGINS => self.is_pasting = true,
                    PASTE_ENDS => self.is_pasting = false,
                    _ => {}
                }
                self.escape = None;
            }
            return Ok(());
        }
        match byte {
            0x1b => self.escape = Some(Vec::new()),
            b'\r' | b'\n' => self.add(b'\n'),
            byte if self.is_pasting => self.add(byte),
            // Ctrl-C
            0x03 => return Err(io::ErrorKind::Interrupted.into()),
            // Ctrl-D
            0x04 if self.bytes.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            0x04 => self.add(b'\n'),
            // Backspace
            0x08 | 0x7f => while self.bytes.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            // Ctrl-U
            0x15 => self.bytes.clear(),
            byte => self.add(byte),
        }
        Ok(())
    }

    fn add(&mut self, byte: u8) {
        if self.bytes.len() < MAX_BYTES {
            self.bytes.push(byte);
        }
    }

    fn into_text(self) -> Zeroizing<String> {
        Zeroizing::new(String::from_utf8_lossy(&self.bytes).trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> (bool, String) {
        let mut answer = Answer::new();
        text.bytes().for_each(|byte| answer.push(byte).unwrap());
        (answer.is_complete(), (*answer.into_text()).clone())
    }

    #[test]
    fn a_paste_may_contain_line_breaks() {
        for (text, is_complete, read) in [
            ("abc\r", true, "abc"),
            ("abc", false, "abc"),
            ("abc\rdef", false, "abc\ndef"),
            ("\u{1b}[200~abc\rdef\r", false, "abc\ndef"),
            ("\u{1b}[200~abc\rdef\u{1b}[201~", false, "abc\ndef"),
            ("\u{1b}[200~abc\rdef\u{1b}[201~\r", true, "abc\ndef"),
            ("\u{1b}[200~\u{3}a\u{1b}[201~\r", true, "\u{3}a"),
            ("abx\u{7f}c\r", true, "abc"),
            ("aé\u{7f}\r", true, "a"),
            ("xyz\u{15}abc\r", true, "abc"),
            ("a\u{1b}[Ab\u{1b}Oc\r", true, "abc"),
        ] {
            assert_eq!(typed(text), (is_complete, read.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn control_keys_end_the_question() {
        let kind = |byte| Answer::new().push(byte).unwrap_err().kind();
        assert_eq!(kind(3), io::ErrorKind::Interrupted);
        assert_eq!(kind(4), io::ErrorKind::UnexpectedEof);
    }
}
