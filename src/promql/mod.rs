//! The query language of Prometheus as a syntax tree. Pure; every room that reads an expression comes here.

mod syntax;

pub(crate) use syntax::{parse, without_texts};
