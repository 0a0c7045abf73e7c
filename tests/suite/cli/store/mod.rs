//! `sgsend store`

mod check;
mod copy;
