//! Each state and each drift, and the actions that are due.
