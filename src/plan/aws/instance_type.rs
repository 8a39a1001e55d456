//! Properties of an instance type, and whether an existing instance can be changed to it.

use std::collections::BTreeSet;

use super::cloud::Instance;

/// Properties of an instance type in a region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeFacts {
    /// The architectures that it boots, as EC2 writes them.
    pub architectures: BTreeSet<String>,
    /// The zones that offer it.
    pub zones: BTreeSet<String>,
    /// Whether its network needs a driver that old images lack.
    pub needs_ena: bool,
}

/// Why an instance cannot be changed to this type; none if EC2 reports no obstacle.
pub fn misfit(instance: &Instance, name: &str, facts: &TypeFacts) -> Option<String> {
    let label = instance.label();
    let has = &instance.architecture;
    if !has.is_empty() && !facts.architectures.is_empty() && !facts.architectures.contains(has) {
        let boots: Vec<&str> = facts.architectures.iter().map(String::as_str).collect();
        return Some(format!("`{name}` boots {} only, and the disk of {label} is {has}", boots.join(", ")));
    }
    if facts.needs_ena && instance.ena == Some(false) {
        return Some(format!("`{name}` needs an image with the ENA driver, and that of {label} has none"));
    }
    if !facts.zones.contains(&instance.zone) {
        return Some(format!("{} does not offer `{name}`, and {label} cannot leave its zone", instance.zone));
    }
    None
}

/// Whether instances of this type run on CPU credits, by its name: `t3.small` does, `trn1.2xlarge` does not.
pub fn is_burstable(name: &str) -> bool {
    name.strip_prefix('t').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_of_the_t_families_run_on_credits() {
        let burstable = ["t2.micro", "t3.small", "t3a.small", "t4g.large"].map(is_burstable);
        assert_eq!(burstable, [true; 4]);
        assert_eq!(["trn1.2xlarge", "m7g.large", "", "t"].map(is_burstable), [false; 4]);
    }
}
