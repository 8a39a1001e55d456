//! "Did you mean": the known name that is nearest to an unknown one.

/// A suggestion to append to a message; empty where nothing is near.
pub(crate) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The nearest of the known names; none where none is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&word, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_none_where_none_is_near() {
        let known = ["port", "path", "HighCPUUsage"];
        assert_eq!(nearest("prot", known), Some("port"));
        assert_eq!(nearest("highcpu", known), Some("HighCPUUsage"));
        assert_eq!(nearest("colour", known), None);
    }
}
