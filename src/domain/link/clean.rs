//! Visible characters of pasted text, with the white space between them.

use zeroize::Zeroizing;

/// White space before a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    None,
    Space,
    /// A line break, with the marks of quoted lines in mails (`> `) behind the break.
    Line,
}

/// Way in which a character got its ASCII form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Unchanged.
    Exact,
    /// From another character, such as a full-width letter.
    Mapped,
    /// From a long dash, which word processors also write instead of two hyphens.
    LongDash,
}

/// Text without white space, invisible characters and quote marks.
pub(super) struct Text {
    chars: Zeroizing<Vec<char>>,
    gaps: Vec<Gap>,
    forms: Vec<Form>,
}

impl Text {
    /// Removes what mail programs, chats and phones insert, and maps typographic characters to ASCII.
    pub(super) fn new(text: &str) -> Self {
        // Allocated once: reallocation would leave copies of the key in memory.
        let length = text.chars().count();
        let mut this = Self {
            chars: Zeroizing::new(Vec::with_capacity(length)),
            gaps: Vec::with_capacity(length),
            forms: Vec::with_capacity(length),
        };
        let (mut gap, mut at_line_start) = (Gap::None, true);
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if is_line_break(c) {
                (gap, at_line_start) = (Gap::Line, true);
            } else if is_space(c) {
                gap = gap.max(Gap::Space);
            } else if is_invisible(c)
                || (at_line_start && matches!(c, '>' | '|'))
                || (c == '=' && is_soft_break(rest.clone()))
            {
            } else {
                at_line_start = false;
                let (c, form) = match c {
                    // An escape of Markdown, JSON or a shell.
                    '\\' if rest
                        .clone()
                        .next()
                        .is_none_or(|next| next.is_whitespace() || (next.is_ascii_punctuation() && next != '\\')) =>
                    {
                        continue;
                    }
                    '\\' => ('/', Form::Mapped),
                    c => to_ascii(c),
                };
                this.chars.push(c);
                this.gaps.push(gap);
                this.forms.push(form);
                gap = Gap::None;
            }
        }
        this
    }

    pub(super) fn len(&self) -> usize {
        self.chars.len()
    }

    /// Returns the character at `at`; a NUL, which no text contains, beyond its ends.
    pub(super) fn char(&self, at: usize) -> char {
        self.chars.get(at).copied().unwrap_or('\0')
    }

    /// Returns the white space before the character at `at`; a line break at the end of the text.
    pub(super) fn gap(&self, at: usize) -> Gap {
        self.gaps.get(at).copied().unwrap_or(Gap::Line)
    }

    pub(super) fn form(&self, at: usize) -> Form {
        self.forms.get(at).copied().unwrap_or(Form::Exact)
    }

    /// Returns whether the characters from `at` are `word`, ignoring case and white space in between.
    pub(super) fn has(&self, at: usize, word: &str) -> bool {
        word.chars().enumerate().all(|(offset, c)| self.char(at + offset).eq_ignore_ascii_case(&c))
    }
}

pub(super) fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns whether `c` takes room without a mark. Examples are a tab, a no-break space and an empty Braille pattern.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

/// Returns whether `c` has no width. That is so for control, joining, bidirectional and variation characters, and soft
/// hyphens.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffd}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether `c` leaves no mark.
pub(super) fn is_blank(c: char) -> bool {
    is_space(c) || is_invisible(c)
}

/// Returns whether a line break follows. An `=` before it is a soft line break of quoted-printable mail.
fn is_soft_break(mut rest: std::str::Chars<'_>) -> bool {
    rest.find(|c| is_line_break(*c) || !is_blank(*c)).is_some_and(is_line_break)
}

/// Maps a dash, a full-width character or a lookalike of URL punctuation to ASCII.
fn to_ascii(c: char) -> (char, Form) {
    let mapped = match c {
        '\u{2012}'..='\u{2015}' | '\u{2e3a}'..='\u{2e3b}' | '\u{fe58}' => return ('-', Form::LongDash),
        '\u{2010}'..='\u{2011}' | '\u{2043}' | '\u{2212}' | '\u{fe63}' => '-',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{2024}' | '\u{3002}' | '\u{ff61}' | '\u{fe52}' => '.',
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => '/',
        '\u{2236}' | '\u{a789}' | '\u{fe55}' => ':',
        '\u{fe5f}' => '#',
        c => return (c, Form::Exact),
    };
    (mapped, Form::Mapped)
}
