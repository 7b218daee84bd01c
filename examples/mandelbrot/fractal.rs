//! The Mandelbrot set: the points `c` for which `z * z + c`, again and again from 0, stays small.

use clap::ValueEnum;

/// What part of the plane to look at.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum View {
    /// The whole set.
    Whole,
    /// Into the valley between the two largest parts.
    Valley,
    /// Spirals around a small copy of the set, far down in that valley.
    Spiral,
}

impl View {
    /// The point in the middle, and how much of the plane is seen across.
    pub(crate) fn place(self) -> (f64, f64, f64) {
        match self {
            Self::Whole => (-0.7, 0.0, 3.6),
            Self::Valley => (-0.7453, 0.1127, 0.0065),
            Self::Spiral => (-0.743_643_887_037_151, 0.131_825_904_205_330, 0.000_06),
        }
    }
}

/// How many iterations it takes the point to escape, with a fraction that makes it smooth; none if it
/// has not after `most`.
pub(crate) fn escape(x: f64, y: f64, most: u32) -> Option<f64> {
    // Far beyond the 2 from which there is no return: the fraction is the smoother for it.
    const RADIUS_SQUARED: f64 = 65_536.0;
    if is_in_the_main_parts(x, y) {
        return None;
    }
    let (mut a, mut b) = (0.0, 0.0);
    for n in 0..most {
        let (aa, bb) = (a * a, b * b);
        if aa + bb > RADIUS_SQUARED {
            // How far beyond, on the scale of one more squaring.
            let beyond = ((aa + bb).ln() / RADIUS_SQUARED.ln()).log2();
            return Some(f64::from(n) - beyond);
        }
        b = 2.0 * a * b + y;
        a = aa - bb + x;
    }
    None
}

/// The heart and the disc to the left of it, which have formulas: there iterating would never end early.
fn is_in_the_main_parts(x: f64, y: f64) -> bool {
    let yy = y * y;
    let q = (x - 0.25) * (x - 0.25) + yy;
    q * (q + (x - 0.25)) <= 0.25 * yy || (x + 1.0) * (x + 1.0) + yy <= 0.0625
}
