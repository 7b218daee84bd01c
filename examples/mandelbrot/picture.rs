//! Colours, and the file.

use std::f64::consts::TAU;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

/// Pixels of a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Red, green and blue, as amounts of light from 0 to 1.
pub(crate) type Light = [f64; 3];

/// The colour of a point that escapes after this many iterations, or does not.
pub(crate) fn colour(escape: Option<f64>) -> Light {
    let Some(escape) = escape else {
        return [0.0; 3];
    };
    // Detail lies where iterations are many, and there they change fast: by the logarithm the bands are
    // about as wide everywhere.
    let turn = (escape + 2.0).max(1.0).ln() * 0.55;
    // A wave for each colour, a little behind one another: dark blue, white, gold and back.
    [0.85, 0.93, 1.03].map(|phase| {
        let wave = 0.5 - 0.5 * (TAU * (turn + phase)).cos();
        wave * wave
    })
}

/// A pixel of this much light, as screens have it.
pub(crate) fn pixel(light: Light) -> [u8; 3] {
    const GAMMA: f64 = 2.2;
    light.map(|light| (light.powf(1.0 / GAMMA) * 255.0).round() as u8)
}

/// Writes a PNG of pixels, row by row from the top.
pub(crate) fn write(path: &Path, size: Size, pixels: &[u8]) -> io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, size.width, size.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    Ok(writer.finish()?)
}
