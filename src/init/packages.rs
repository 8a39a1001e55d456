//! Debian packages that Python packages need, because they have no wheel or use a library of the system.

/// Python packages, and the Debian packages with what they are built with or load.
const NEEDED: [(&str, &[&str]); 16] = [
    ("gdal", &["gdal-bin", "libgdal-dev"]),
    ("mysqlclient", &["default-libmysqlclient-dev", "pkg-config"]),
    ("pdf2image", &["poppler-utils"]),
    ("psycopg", &["libpq5"]),
    ("psycopg2", &["libpq-dev"]),
    ("pycairo", &["libcairo2-dev", "pkg-config"]),
    ("pycurl", &["libcurl4-openssl-dev", "libssl-dev"]),
    ("pygraphviz", &["libgraphviz-dev", "pkg-config"]),
    ("python-ldap", &["libldap-dev", "libsasl2-dev"]),
    ("python-magic", &["libmagic1"]),
    ("python-saml", &["libxmlsec1-dev", "pkg-config"]),
    ("pytesseract", &["tesseract-ocr"]),
    ("pyzbar", &["libzbar0"]),
    ("rlpycairo", &["libcairo2-dev", "pkg-config"]),
    ("weasyprint", &["libpango-1.0-0", "libpangoft2-1.0-0"]),
    ("xmlsec", &["libxmlsec1-dev", "pkg-config"]),
];

/// The Debian packages for requirements, with the requirement that needs each. `text` is the content of requirements
/// files and lock files in any format.
pub(super) fn needed(text: &str) -> Vec<(&'static str, &'static str)> {
    let names = names(text);
    let mut found: Vec<(&str, &str)> = Vec::new();
    for (requirement, packages) in NEEDED {
        // The binary variant of psycopg brings its library.
        let brings_its_own = requirement == "psycopg"
            && (text.contains("psycopg[binary") || names.iter().any(|name| name == "psycopg-binary"));
        if !brings_its_own && names.iter().any(|name| name == requirement) {
            for package in packages {
                if !found.iter().any(|(known, _)| known == package) {
                    found.push((package, requirement));
                }
            }
        }
    }
    found
}

/// The words of a text that can be names of Python packages, as indexes write them.
pub(super) fn names(text: &str) -> Vec<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.split(|c: char| !is_of_name(c))
        .map(|word| word.trim_matches(['-', '.']).to_lowercase().replace(['_', '.'], "-"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::needed;

    fn names(text: &str) -> Vec<&'static str> {
        needed(text).into_iter().map(|(package, _)| package).collect()
    }

    #[test]
    fn requirements_in_any_format_name_their_packages() {
        for text in [
            "Django\npsycopg2==2.9.9\n",
            "dependencies = [\"psycopg2>=2.9\"]",
            "[[package]]\nname = \"psycopg2\"\n",
        ] {
            assert_eq!(names(text), ["libpq-dev"], "{text}");
        }
        assert_eq!(
            needed("xmlsec\npython_ldap>=3\nmysqlclient ; python_version > '3'"),
            [
                ("default-libmysqlclient-dev", "mysqlclient"),
                ("pkg-config", "mysqlclient"),
                ("libldap-dev", "python-ldap"),
                ("libsasl2-dev", "python-ldap"),
                ("libxmlsec1-dev", "xmlsec"),
            ]
        );
    }

    #[test]
    fn packages_that_bring_their_libraries_need_nothing() {
        for text in [
            "psycopg2-binary==2.9",
            "psycopg[binary]==3.2",
            "name = \"psycopg-binary\"\nname = \"psycopg\"",
            "Django",
        ] {
            assert!(needed(text).is_empty(), "{text}");
        }
        assert_eq!(names("psycopg[pool]"), ["libpq5"]);
    }
}
