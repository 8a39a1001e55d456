//! A first spec for a Django project: its files are read as they are and never run. [`Survey::of`] finds what they say,
//! [`Survey::spec`] writes it down with comments.

mod call;
mod packages;
mod processes;
mod spec_text;
mod survey;
mod variables;
mod written;

pub use processes::Process;
pub use spec_text::{Place, Provider};
pub use survey::Survey;
pub use variables::Variable;
