//! Results as text for people, made from the very documents that programs get, so that the two
//! cannot differ. Words carry the meaning; there is no colour here.

mod check;
mod facts;
mod gc;
mod health;
mod history;
mod init;
mod operation;
mod plan;
mod quarantine;
mod row;
mod show;
mod status;

pub use check::check;
pub use gc::gc;
pub use health::health;
pub use history::history;
pub use init::init;
pub use operation::operation_result;
pub use plan::plan;
pub use quarantine::quarantine;
pub use row::{Fact, Row};
pub use show::show;
pub use status::status;

pub(super) use facts::{label, next, texts, word};
