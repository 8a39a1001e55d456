//! A first spec for a Django project: its files are read as they are and never run. [`Survey::of`] finds what they say,
//! [`Survey::spec`] writes it down with comments.

mod call;
mod packages;
mod processes;
mod services;
mod spec_text;
mod survey;
mod variables;
mod written;

pub use processes::ProcfileLine;
pub use spec_text::{Answers, Machines};
pub use survey::Survey;
pub use variables::EnvironmentVariable;
