//! Output of the command: messages, JSON, tables, prompts, completions and help texts.

mod after_upload;
mod cli_messages;
mod completions;
mod failures;
mod guesses;
mod json;
mod prompts;
mod reference;
mod tables;
mod terminal;
