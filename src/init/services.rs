//! The servers of `app.services` that a project's settings and requirements ask for.

use super::packages;
use super::variables::EnvironmentVariable;
use crate::spec::AppService;

/// Libraries of PostgreSQL.
const LIBRARIES: [&str; 4] = ["psycopg", "psycopg2", "psycopg-binary", "psycopg2-binary"];
/// What settings that name no `DATABASE_URL` name as the engine.
const ENGINE: &str = "django.db.backends.postgresql";
/// Words in the names of a database's variables.
const OF_DATABASE: [&str; 5] = ["DB", "DATABASE", "POSTGRES", "PG", "SQL"];

/// The servers, each with what uses it. `variables` are those that are not set yet.
pub(super) fn services(
    variables: &[EnvironmentVariable],
    code: &str,
    requirements: &str,
) -> Vec<(AppService, String)> {
    let place = |name: &str| {
        let variable = variables.iter().find(|variable| variable.name == name)?;
        Some(format!("{name}, {}", variable.place))
    };
    let host = || {
        let is_host = |variable: &&EnvironmentVariable| of_postgresql(&variable.name) == Some(SOCKET);
        variables.iter().find(is_host).filter(|_| code.contains(ENGINE)).map(|host| host.place.clone())
    };
    let has_library = packages::names(requirements).iter().any(|name| LIBRARIES.contains(&name.as_str()));
    let database = has_library.then(|| place("DATABASE_URL").or_else(host)).flatten();
    let found = [(AppService::Postgresql, database), (AppService::Redis, place("REDIS_URL"))];
    found.into_iter().filter_map(|(service, place)| Some((service, place?))).collect()
}

/// The folder of PostgreSQL's socket.
const SOCKET: &str = "/run/monctl-postgresql";

/// The value of a variable about a database for monctl's PostgreSQL, judged by its name, such as `DB_USER`.
pub(super) fn of_postgresql(name: &str) -> Option<&'static str> {
    let name = name.to_uppercase();
    let (before, last) =
        name.rsplit_once('_').or_else(|| name.strip_prefix("PG").map(|last| ("PG", last)))?;
    if !before.split('_').any(|word| OF_DATABASE.contains(&word)) {
        return None;
    }
    match last {
        "NAME" | "DB" | "DATABASE" => Some("app"),
        "USER" | "USERNAME" => Some("monctl-app"),
        "PASSWORD" | "PASS" => Some(""),
        "HOST" => Some(SOCKET),
        "PORT" => Some("5432"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str], code: &str, requirements: &str) -> Vec<AppService> {
        let variable = |name: &&str| EnvironmentVariable {
            name: (*name).to_owned(),
            place: "settings.py:1".to_owned(),
            default: None,
        };
        let variables: Vec<_> = names.iter().map(variable).collect();
        services(&variables, code, requirements).into_iter().map(|(service, _)| service).collect()
    }

    #[test]
    fn servers_are_proposed_where_the_settings_take_their_address() {
        use AppService::{Postgresql, Redis};
        let engine = "'ENGINE': 'django.db.backends.postgresql'";
        for (names, code, requirements, expected) in [
            (&["DATABASE_URL"][..], "", "psycopg2-binary==2.9", &[Postgresql][..]),
            (&["DATABASE_URL", "REDIS_URL"], "", "psycopg[binary]", &[Postgresql, Redis]),
            (&["DATABASE_URL"], "", "mysqlclient", &[]),
            (&["DB_NAME", "DB_HOST"], engine, "psycopg", &[Postgresql]),
            (&["DB_NAME"], engine, "psycopg", &[]),
            (&["DB_HOST"], "'ENGINE': 'django.db.backends.mysql'", "psycopg", &[]),
            (&["CACHE_HOST"], engine, "psycopg", &[]),
            (&[], engine, "psycopg\nredis", &[]),
        ] {
            assert_eq!(found(names, code, requirements), expected, "{names:?} {code} {requirements}");
        }
    }

    #[test]
    fn variables_of_a_database_have_values_by_their_names() {
        for (name, value) in [
            ("POSTGRES_DB", Some("app")),
            ("DB_NAME", Some("app")),
            ("DJANGO_DB_USER", Some("monctl-app")),
            ("DATABASE_PASSWORD", Some("")),
            ("SQL_HOST", Some("/run/monctl-postgresql")),
            ("PGHOST", Some("/run/monctl-postgresql")),
            ("DB_PORT", Some("5432")),
            ("EMAIL_HOST", None),
            ("DB_ENGINE", None),
            ("USER", None),
        ] {
            assert_eq!(of_postgresql(name), value, "{name}");
        }
    }
}
