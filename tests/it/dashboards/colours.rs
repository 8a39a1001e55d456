//! Colours as people with colour blindness see them: Machado, Oliveira and Fernandes' matrices for full protanopia,
//! deuteranopia and tritanopia (2009), and the distance of two colours in CIELAB.

use std::collections::BTreeSet;

/// Okabe and Ito's palette without its yellow, which is not visible on white, plus a violet, a brown and a grey.
pub const PALETTE: [&str; 9] =
    ["#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#9A4DFF", "#A0522D", "#606060"];

/// Two colours closer than this in CIELAB are easily confused in a thin line. The smallest difference that is visible
/// side by side is about 2.
const LEAST_DISTANCE: f64 = 15.0;

type Matrix = [[f64; 3]; 3];

const EYES: [Matrix; 4] = [
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    [
        [0.152_286, 1.052_583, -0.204_868],
        [0.114_503, 0.786_281, 0.099_216],
        [-0.003_882, -0.048_116, 1.051_998],
    ],
    [
        [0.367_322, 0.860_646, -0.227_968],
        [0.280_085, 0.672_501, 0.047_413],
        [-0.011_820, 0.042_940, 0.968_881],
    ],
    [
        [1.255_528, -0.076_749, -0.178_779],
        [-0.078_411, 0.930_809, 0.147_602],
        [0.004_733, 0.691_367, 0.303_900],
    ],
];

/// Two of the colours that some people confuse.
pub fn alike(colours: &BTreeSet<String>) -> Option<(String, String)> {
    let known = || colours.iter().filter(|colour| colour.len() == 7 && colour.starts_with('#'));
    let pairs = known().flat_map(|a| known().filter(move |b| *b > a).map(move |b| (a, b)));
    let mut near = pairs.filter(|(a, b)| distance(a, b) < LEAST_DISTANCE);
    near.next().map(|(a, b)| (a.clone(), b.clone()))
}

/// The contrast of two colours by WCAG 2.1, from 1 to 21.
pub fn contrast(a: &str, b: &str) -> f64 {
    let [a, b] = [a, b].map(|colour| {
        let [r, g, b] = linear(colour);
        0.05 + 0.2126 * r + 0.7152 * g + 0.0722 * b
    });
    a.max(b) / a.min(b)
}

/// The distance of two colours for the eyes that distinguish them worst.
fn distance(a: &str, b: &str) -> f64 {
    let seen = |eye: &Matrix| {
        let [a, b] = [a, b].map(|colour| lab(times(eye, linear(colour))));
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    };
    EYES.iter().map(seen).fold(f64::INFINITY, f64::min)
}

/// `#RRGGBB` as amounts of light.
fn linear(colour: &str) -> [f64; 3] {
    [1, 3, 5].map(|at| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

fn times(matrix: &Matrix, [r, g, b]: [f64; 3]) -> [f64; 3] {
    matrix.map(|[x, y, z]| (x * r + y * g + z * b).clamp(0.0, 1.0))
}

/// sRGB's light in CIELAB, white as of D65.
fn lab(light: [f64; 3]) -> [f64; 3] {
    let to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]];
    let root = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let [x, y, z] = times(&to_xyz, light);
    let [x, y, z] = [root(x / 0.9505), root(y), root(z / 1.089)];
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[test]
fn some_people_confuse_red_and_green_and_all_distinguish_blue_and_orange() {
    let pair = |a: &str, b: &str| alike(&[a, b].map(str::to_owned).into()).is_some();
    assert!(pair("#B5651D", "#6B8E23"), "a brown and an olive");
    assert!(!pair("#0072B2", "#E69F00"));
    assert!((distance("#000000", "#FFFFFF") - 100.0).abs() < 0.5);
    assert!((contrast("#000000", "#FFFFFF") - 21.0).abs() < 0.1);
    assert_eq!(alike(&PALETTE.map(str::to_owned).into()), None, "any two of the palette may meet in a panel");
}
