//! A line of a requirements file, as far as it refers to files of this computer, in any of pip's notations.

/// File extensions that pip takes for packages.
const ARCHIVES: [&str; 7] = [".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar"];

/// A kind of line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequirementLine<'a> {
    /// Another requirements file.
    Include(&'a str),
    /// A package at a path, between the text before the path and after it.
    Package { before: &'a str, path: &'a str, after: &'a str },
    /// A folder with packages.
    Packages(&'a str),
    /// A package index at a path.
    Index,
    /// A repository that needs a key for ssh.
    Ssh,
    /// Anything else.
    Other,
}

impl<'a> RequirementLine<'a> {
    /// The kind of a line without comment.
    pub fn of(line: &'a str) -> Self {
        if line.contains("+ssh://") {
            return RequirementLine::Ssh;
        }
        let value = |options: &[&str]| options.iter().find_map(|option| value_of(line, option));
        if let Some(path) = value(&["-r", "--requirement", "-c", "--constraint"]) {
            // Hosts download URLs themselves.
            return if path.contains("://") {
                RequirementLine::Other
            } else {
                RequirementLine::Include(path)
            };
        }
        if let Some(place) = value(&["-e", "--editable"]) {
            return path_of(place).map_or(RequirementLine::Other, |path| RequirementLine::package("", path));
        }
        if let Some(place) = value(&["-f", "--find-links"]) {
            return path_of(place).map_or(RequirementLine::Other, RequirementLine::Packages);
        }
        if let Some(place) = value(&["-i", "--index-url", "--extra-index-url", "--pypi-url"]) {
            return path_of(place).map_or(RequirementLine::Other, |_| RequirementLine::Index);
        }
        if line.starts_with('-') { RequirementLine::Other } else { RequirementLine::requirement(line) }
    }

    fn requirement(line: &'a str) -> Self {
        let end = [" ;", " --"].iter().filter_map(|end| line.find(end)).min().unwrap_or(line.len());
        let requirement = line[..end].trim_end();
        // `NAME @ PLACE`; an `@` in a URL has no space beside it.
        let at = requirement.find(" @").map(|at| at + 2).or_else(|| requirement.find("@ ").map(|at| at + 1));
        if let Some(at) = at {
            let place = requirement[at..].trim_start();
            let before = &line[..requirement.len() - place.len()];
            return path_of(place).map_or(RequirementLine::Other, |path| {
                RequirementLine::package(before, &line[offset(line, path)..])
            });
        }
        let name = requirement.split('[').next().unwrap_or(requirement);
        let looks_so =
            requirement.starts_with(['.', '~']) || requirement.contains(['/', '\\']) || is_archive(name);
        match path_of(requirement) {
            Some(path) if looks_so => RequirementLine::package("", &line[offset(line, path)..]),
            _ => RequirementLine::Other,
        }
    }

    /// A package whose path begins `rest`.
    fn package(before: &'a str, rest: &'a str) -> Self {
        let end = rest.find(['[', '#', ' ', '\t', ';']).unwrap_or(rest.len());
        RequirementLine::Package { before, path: &rest[..end], after: &rest[end..] }
    }
}

/// Whether a file is a package by its name.
pub(super) fn is_archive(name: &str) -> bool {
    ARCHIVES.iter().any(|end| name.to_lowercase().ends_with(end))
}

/// The value of an option: after a space or `=`, or right after a short one.
fn value_of<'a>(line: &'a str, option: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(option)?;
    let is_short = !option.starts_with("--");
    let is_option = rest.starts_with([' ', '\t', '=']) || is_short && !rest.starts_with('-');
    let value = rest.trim_start_matches([' ', '\t', '=']).trim_matches(['"', '\'']);
    (is_option && !value.is_empty()).then_some(value)
}

/// The path of a place that hosts cannot download from.
fn path_of(place: &str) -> Option<&str> {
    match place.split_once("://") {
        Some((scheme, path)) => (scheme == "file" || scheme.ends_with("+file")).then_some(path),
        None => Some(place.strip_prefix("file:").unwrap_or(place)),
    }
}

/// Where a part of a text begins in it.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_options_and_digests_are_no_paths() {
        for line in [
            "-e git+https://x.test/y",
            "-r https://x.test/r.txt",
            "--extra-index-url https://x.test/simple",
            "--find-links https://x.test/wheels",
            "--require-hashes",
            "--no-binary :all:",
            "a==1 --hash=sha256:0",
            "b[x]==2 ; python_version < '3.13'",
            "z @ https://x.test/z.whl",
            "d@ git+https://x.test/d@v1",
            "e.f-g>=1,<2",
            "https://x.test/h.tar.gz",
        ] {
            assert_eq!(RequirementLine::of(line), RequirementLine::Other, "{line}");
        }
        for line in ["-e git+ssh://git@x.test/y.git@v1#egg=y", "y @ git+ssh://git@x.test/y.git"] {
            assert_eq!(RequirementLine::of(line), RequirementLine::Ssh, "{line}");
        }
        assert_eq!(RequirementLine::of("--index-url=file:///mirror"), RequirementLine::Index);
    }

    #[test]
    fn a_package_is_found_in_each_notation() {
        for (line, before, path, after) in [
            ("-e .", "", ".", ""),
            ("-e.[prod]", "", ".", "[prod]"),
            ("--editable=src/x", "", "src/x", ""),
            ("./x.whl", "", "./x.whl", ""),
            ("../x", "", "../x", ""),
            ("/x", "", "/x", ""),
            ("~/x.whl", "", "~/x.whl", ""),
            ("x-1.2-py3-none-any.whl", "", "x-1.2-py3-none-any.whl", ""),
            (
                "wheels/x.tar.gz[e] ; python_version > '3'",
                "",
                "wheels/x.tar.gz",
                "[e] ; python_version > '3'",
            ),
            ("wheels/x.whl --hash=sha256:0", "", "wheels/x.whl", " --hash=sha256:0"),
            ("x @ file:///x.whl#sha256=0", "x @ ", "/x.whl", "#sha256=0"),
            ("x[e] @ file:x.whl", "x[e] @ ", "x.whl", ""),
            ("x @ wheels/x.whl ; a == 'b'", "x @ ", "wheels/x.whl", " ; a == 'b'"),
            ("x@ ./x.whl", "x@ ", "./x.whl", ""),
            ("file:///x.whl", "", "/x.whl", ""),
            ("git+file:///x", "", "/x", ""),
        ] {
            assert_eq!(RequirementLine::of(line), RequirementLine::Package { before, path, after }, "{line}");
        }
    }

    #[test]
    fn folders_of_packages_and_files_are_found_in_each_notation() {
        for line in
            ["-f wheels", "-fwheels", "--find-links=wheels", "--find-links 'wheels'", "-f file:wheels"]
        {
            assert_eq!(RequirementLine::of(line), RequirementLine::Packages("wheels"), "{line}");
        }
        for line in ["-r x.txt", "-rx.txt", "--requirement=x.txt", "-c x.txt", "--constraint x.txt"] {
            assert_eq!(RequirementLine::of(line), RequirementLine::Include("x.txt"), "{line}");
        }
    }
}
