//! `monctl schema`: the JSON Schema of the spec, for editors and for the copy that is checked in.

use crate::error::{Error, Result};
use crate::report::Outcome;
use crate::spec::json_schema;

pub(super) fn run() -> Result<Outcome> {
    let text = serde_json::to_string_pretty(json_schema())
        .map_err(|error| Error::failed("cannot write the schema").because(error))?;
    Ok(Outcome::success(text, json_schema().clone()))
}
