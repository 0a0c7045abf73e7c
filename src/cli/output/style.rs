//! Choices of colours and of the form of progress.

use clap::ValueEnum;

/// Use of terminal features such as colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal only
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Form in which progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    /// A progress bar on a terminal only
    Auto,
    /// A progress bar on a terminal, otherwise a line at most every 5 s
    Always,
    /// No progress
    Never,
    /// JSON objects on stderr, one per line
    Json,
}
