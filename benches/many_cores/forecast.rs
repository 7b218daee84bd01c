//! The efficiencies of the laboratory in virtual time, as they were when this program was built.

const RECORDED: &str = include_str!("../../verify/scaling/efficiencies.csv");

/// Whether the laboratory has this program.
pub(crate) fn is_known(point: &str) -> bool {
    RECORDED
        .lines()
        .any(|line| line.split(',').next() == Some(point))
}

/// What is recorded for a contender of hatchery's on this number of cores.
pub(crate) fn efficiency(point: &str, contender: &str, cores: usize) -> Option<f64> {
    let way = match contender.strip_prefix("hatchery ")? {
        "nursery" => "spawn",
        way => way,
    };
    let name = format!("{point},{way},{cores},");
    let figure = RECORDED.lines().find_map(|line| line.strip_prefix(&name))?;
    Some(figure.parse().expect("an efficiency"))
}
