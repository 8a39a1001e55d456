//! Schedules drills: each wave consists of drills that do not disturb each other, and the waves run one after another.
//! Pure.

use super::safety::Footprint;

/// Puts drills into waves, in their order: each into the first one that it agrees with. `together` is false where
/// messages cannot be attributed to alerts, so that each drill needs the pipeline for itself.
pub fn waves<T>(drills: impl IntoIterator<Item = (T, Footprint)>, together: bool) -> Vec<Vec<T>> {
    let mut waves: Vec<Vec<(T, Footprint)>> = Vec::new();
    for (drill, footprint) in drills {
        let fits = |wave: &&mut Vec<(T, Footprint)>| {
            together && wave.iter().all(|(_, other)| footprint.agrees_with(other))
        };
        match waves.iter_mut().find(fits) {
            Some(wave) => wave.push((drill, footprint)),
            None => waves.push(vec![(drill, footprint)]),
        }
    }
    waves.into_iter().map(|wave| wave.into_iter().map(|(drill, _)| drill).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::DrillKind;

    #[test]
    fn compatible_drills_share_a_wave_and_none_is_lost() {
        let stop = |unit: &str| DrillKind::Stop { units: vec![unit.into()], job: None };
        let drills = || {
            [
                ("cpu", DrillKind::Cpu),
                ("down", stop("monctl-node-exporter.service")),
                ("disk", DrillKind::Disk),
                ("app", stop("monctl-app.service")),
                ("errors", DrillKind::Requests { status: 503 }),
                ("slow", DrillKind::SlowRequests),
            ]
            .map(|(name, kind)| (name, Footprint::of(&kind).unwrap()))
        };
        assert_eq!(
            waves(drills(), true),
            [vec!["cpu", "disk", "app"], vec!["down"], vec!["errors"], vec!["slow"]]
        );
        assert_eq!(waves(drills(), false).len(), 6);
    }
}
