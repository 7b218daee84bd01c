//! The curves of BENCHMARKS.md: how much of the cores hatchery uses, and rayon.

use std::fs;

use plotters::prelude::*;

use crate::contender::Way;
use crate::point::{Options, Outcome, Point, measure_all};

const FILE: &str = "benches/charts/scaling.svg";

const CORES: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Programs, the way of hatchery that is natural for each, and rayon's best.
const PAIRS: [(&str, &str, &str); 9] = [
    ("flat:1000", "spawn_each", "par_iter"),
    ("flat:10000", "spawn_each", "par_iter"),
    ("queens:13", "spawn", "rayon_join"),
    ("mandelbrot:512", "spawn_each", "rayon_scope"),
    ("matrix:64", "spawn_each", "rayon_join"),
    ("forks:16", "join", "rayon_join"),
    ("uts:9", "join", "rayon_join"),
    ("nests:50", "spawn", "rayon_join"),
    ("paced:20", "spawn", "rayon_scope"),
];

/// Readable on white and on nearly black, as in the charts of the benchmarks.
const TEXT: RGBColor = RGBColor(121, 121, 121);
const HATCHERY: RGBColor = RGBColor(31, 119, 224);
const RAYON: RGBColor = RGBColor(201, 103, 20);

const SIZE: (u32, u32) = (860, 660);
const PANELS: (usize, usize) = (3, 3);

/// Measures the curves, prints them as a table and draws them.
///
/// # Errors
///
/// If the file cannot be written.
pub(crate) fn write(options: &Options) -> Result<(), String> {
    let mut points = Vec::new();
    for (work, own, peer) in PAIRS {
        for way in [own, peer] {
            let way = Way::find(way).expect("its name is known");
            points.extend(CORES.map(|cores| Point {
                work: work.to_owned(),
                way,
                cores,
            }));
        }
    }
    let outcomes = measure_all(&points, options);
    print(&points, &outcomes);
    let drawn = draw(&points, &outcomes).map_err(|error| format!("{FILE}: {error}"))?;
    fs::write(FILE, drawn).map_err(|error| format!("{FILE}: {error}"))
}

fn print(points: &[Point], outcomes: &[Outcome]) {
    let cores = CORES.map(|cores| cores.to_string()).join(" | ");
    println!(
        "| work | way | {cores} |\n|---|---|{}",
        "---|".repeat(CORES.len())
    );
    let curves = points.chunks(CORES.len()).zip(outcomes.chunks(CORES.len()));
    for (points, outcomes) in curves {
        let figures: Vec<_> = outcomes
            .iter()
            .map(|o| format!("{:.2}", o.efficiency))
            .collect();
        println!(
            "| {} | {} | {} |",
            points[0].work,
            points[0].way.name,
            figures.join(" | ")
        );
    }
}

/// A panel for each program: a curve of hatchery and one of rayon.
fn draw(points: &[Point], outcomes: &[Outcome]) -> Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let pairs = points
            .chunks(2 * CORES.len())
            .zip(outcomes.chunks(2 * CORES.len()));
        for (panel, (points, outcomes)) in area.split_evenly(PANELS).iter().zip(pairs) {
            let style = |size| ("sans-serif", size).into_font().color(&TEXT);
            let last = (CORES.len() - 1) as f64;
            let mut chart = ChartBuilder::on(panel)
                .caption(&points[0].work, style(17))
                .margin(6)
                .margin_right(14)
                .x_label_area_size(24)
                .y_label_area_size(34)
                .build_cartesian_2d(0.0..last, 0.0..1.0)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(TEXT.mix(0.3))
                .axis_style(TEXT)
                .label_style(style(14))
                .x_labels(CORES.len())
                .y_labels(5)
                .x_label_formatter(&|x| CORES[*x as usize].to_string())
                .y_label_formatter(&|y| format!("{y:.1}"))
                .draw()?;
            let curves = points.chunks(CORES.len()).zip(outcomes.chunks(CORES.len()));
            for ((points, outcomes), colour) in curves.zip([HATCHERY, RAYON]) {
                let efficiencies = outcomes.iter().map(|outcome| outcome.efficiency);
                let line: Vec<_> = (0..).map(f64::from).zip(efficiencies).collect();
                chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
                // The first name stands above the second one, where few curves go.
                let row = if colour == HATCHERY { 0.16 } else { 0.06 };
                let name = ("sans-serif", 16).into_font().color(&colour);
                let name = Text::new(points[0].way.name, (0.1, row), name);
                chart.draw_series(std::iter::once(name))?;
            }
        }
        area.present()?;
    }
    Ok(svg)
}
