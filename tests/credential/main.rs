//! The credential verb on its own: a real OpenBao issues real PostgreSQL accounts, and what the keeper says of them
//! is seen at the database. Where the vault must fail on cue, the lab's vault does.

mod crash;
mod faults;
mod leases;
mod rig;
