//! The charts beside BENCHMARKS.md: a bar per contender, as long as its time over the best one's.
//!
//! They are seen on white and on nearly black, and an image cannot know which: there is no
//! background, and all colours have a contrast of at least 3 with both, text of more than 4.

use std::fs;
use std::io;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::common::figures::digits;
use crate::measure::{Group, Measured, Outcome};
use crate::report::quantity;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const TEXT: RGBColor = RGBColor(121, 121, 121);
/// The colour of each contender, by the beginning of its name.
const COLOURS: [(&str, RGBColor); 5] = [
    ("hatchery", RGBColor(31, 119, 224)),
    ("rayon", RGBColor(201, 103, 20)),
    ("chili", RGBColor(24, 140, 100)),
    ("tokio", RGBColor(178, 80, 120)),
    ("std", RGBColor(160, 96, 190)),
];

const FONT: &str = "sans-serif";
const FONT_SIZE: i32 = 13;
const WIDTH: i32 = 860;
const LINE: i32 = 19;
/// Where the bars begin, and how long the best contender's bar is.
const NAMES: i32 = 200;
const BEST: i32 = 130;
/// Bars are cut here, in times the best.
const LONGEST: f64 = 4.0;

/// Draws the rows of a group to `benches/charts/GROUP.svg`.
pub(crate) fn write(group: Group, outcomes: &[&Outcome]) -> io::Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/charts");
    fs::create_dir_all(folder)?;
    let path = format!("{folder}/{}.svg", group.key());
    let height: i32 = outcomes.iter().map(|outcome| height(outcome)).sum();
    let size = [WIDTH, height.max(LINE)].map(|length| u32::try_from(length).expect("positive"));
    let area = SVGBackend::new(&path, size.into()).into_drawing_area();
    draw(&area, outcomes).map_err(io::Error::other)
}

fn height(outcome: &Outcome) -> i32 {
    let lines = i32::try_from(outcome.contenders.len()).expect("a few");
    (lines + 2) * LINE
}

fn draw(area: &Area<'_>, outcomes: &[&Outcome]) -> Result<(), DrawingAreaErrorKind<io::Error>> {
    let mut y = LINE / 2;
    for outcome in outcomes {
        let title = label(HPos::Left, FontStyle::Bold);
        area.draw(&Text::new(outcome.title(), (4, y + LINE / 2), title))?;
        for (i, contender) in (1..).zip(&outcome.contenders) {
            draw_bar(area, outcome, contender, y + i * LINE)?;
        }
        y += height(outcome);
    }
    area.present()
}

fn draw_bar(
    area: &Area<'_>,
    outcome: &Outcome,
    contender: &Measured,
    y: i32,
) -> Result<(), DrawingAreaErrorKind<io::Error>> {
    let middle = y + LINE / 2;
    let name = label(HPos::Right, FontStyle::Normal);
    area.draw(&Text::new(contender.name, (NAMES - 8, middle), name))?;

    let over = outcome.over_best(contender.median()).unwrap_or(0.0);
    let is_cut = over > LONGEST;
    let length = (over.min(LONGEST) * f64::from(BEST)) as i32;
    let colour = COLOURS
        .iter()
        .find(|(who, _)| contender.name.starts_with(who));
    let colour = colour.map_or(TEXT, |(_, colour)| *colour);
    let style = match contender.is_reference {
        true => colour.stroke_width(1),
        false => colour.filled(),
    };
    let (top, bottom) = (y + 3, y + LINE - 3);
    let end = NAMES + length.max(1);
    area.draw(&Rectangle::new([(NAMES, top), (end, bottom)], style))?;
    if is_cut {
        // Two slants say that the bar goes on.
        for slant in [6, 12] {
            let cut = [(end + slant - 2, bottom), (end + slant + 2, top)];
            area.draw(&PathElement::new(cut, colour.stroke_width(2)))?;
        }
    }
    let mut value = quantity(outcome.unit, contender.median());
    if !contender.is_reference && over > 1.0 {
        value = format!("{value} · {} x", digits(over));
    }
    let style = label(HPos::Left, FontStyle::Normal);
    area.draw(&Text::new(
        value,
        (end + if is_cut { 20 } else { 7 }, middle),
        style,
    ))
}

/// Text whose middle, left or right, is at its point.
fn label(side: HPos, style: FontStyle) -> TextStyle<'static> {
    let font = (FONT, FONT_SIZE).into_font().style(style);
    font.color(&TEXT).pos(Pos::new(side, VPos::Center))
}
