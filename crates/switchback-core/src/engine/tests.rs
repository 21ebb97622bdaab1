//! The transaction against a world that goes on without us: transcripts, and sweeps over every record.

mod crash;
mod faults;
mod fence;
mod foreign;
mod grammar;
mod lab;
mod ways_back;
