//! Output: the printer, tables, progress, and the files that commands write.

pub(super) mod escape;
pub(super) mod info;
pub(super) mod meter;
pub(super) mod plural;
pub(super) mod printer;
pub(super) mod records;
pub(super) mod screen;
pub(super) mod sender;
pub(super) mod share;
pub(super) mod style;
pub(super) mod table;
pub(super) mod target;
pub(super) mod time;
