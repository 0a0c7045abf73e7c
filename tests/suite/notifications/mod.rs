//! Notifications: webhooks, e-mail, and the event stream.

mod event_stream;
mod kills;
mod receiver;
mod settings;
mod watch;
mod webhooks;
