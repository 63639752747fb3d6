//! What the project's commands are made of. The test harness uses [`parts`] too, so that the installer and the
//! tests cannot disagree about where a real server lies.

pub mod parts;
pub mod run;
