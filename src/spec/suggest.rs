//! "Did you mean": the known name nearest to an unknown one.

/// A suggestion to append to a message; empty if no name is near.
pub(crate) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The nearest known name, if any is near: at most one typo for every four letters, or a prefix of at least half of the
/// name.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let distance = |name: &str| {
        let name = name.to_lowercase();
        let is_beginning = length >= 4 && name.starts_with(&word) && 2 * length >= name.chars().count();
        if is_beginning { 1 } else { strsim::damerau_levenshtein(&word, &name) }
    };
    known
        .into_iter()
        .map(|name| (distance(name), name))
        .filter(|(distance, _)| *distance <= (length / 4).max(1))
        .min_by_key(|(distance, _)| *distance)
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

    #[test]
    fn a_name_with_only_a_common_prefix_is_not_suggested() {
        let known = ["process_open_fds", "node_load1", "node_memory_MemAvailable_bytes", "up"];
        for (word, near) in [
            ("probe_success", None),
            ("process_cpu_usage", None),
            ("node_laod1", Some("node_load1")),
            ("node_memory_MemAvail_bytes", Some("node_memory_MemAvailable_bytes")),
            ("node_md_disks", None),
            ("upp", Some("up")),
            ("http_up", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), near, "{word}");
        }
    }
}
