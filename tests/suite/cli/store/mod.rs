//! `sgsend store`

mod backup;
mod check;
mod copy;
mod repair;
