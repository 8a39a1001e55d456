//! What `verify-alert` prints and writes: the verdicts, the list of drills, a page, JUnit XML, and a schedule.

mod junit;
mod list;
mod page;
mod schedule;
mod verdicts;

pub use junit::junit;
pub use list::drill_list;
pub use page::{ReportCollector, check_writable, put};
pub use schedule::schedule;
pub use verdicts::{verdicts, with_coverage};
