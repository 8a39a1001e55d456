//! Tests of the report in a real browser: Chromium renders it dark and light, on a phone and on paper, and the
//! screenshots are inspected.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::tests::{example, message};

/// A phone's width in pixels.
const PHONE: u32 = 390;
/// Tall enough for the whole example.
const TALL: u32 = 4_000;

/// Runs Chromium on a page, in a folder in which it may leave files. Returns its output; none if it is not installed.
fn chromium(page: &str, folder: &Path, arguments: &[String]) -> Option<String> {
    let file = folder.join("page.html");
    std::fs::write(&file, page).unwrap();
    let mut command = Command::new("chromium");
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .args(arguments)
        .arg(format!("file://{}", file.display()));
    match command.output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "Chromium is not installed: {error}");
            None
        }
    }
}

/// The example as it usually is: closed details, and one message that is wide.
fn page() -> String {
    let mut page = example();
    page.alerts[0].expression = "a_very_long_name_of_a_metric_without_any_space_".repeat(9);
    page.alerts[0].messages.push((1.0, message(&"wide".repeat(60), &"x".repeat(400), "danger")));
    page.render().unwrap()
}

#[test]
fn a_browser_finds_no_script_and_loses_no_text() {
    let mut page = example();
    let evil = "</pre></article><img src=x onerror=\"document.title='caught'\"><script>document.title='caught'</script>";
    page.alerts[0].expression = evil.into();
    page.alerts[0].messages.push((1.0, message(evil, evil, "danger")));
    let folder = tempfile::tempdir().unwrap();
    let Some(tree) = chromium(&page.render().unwrap(), folder.path(), &["--dump-dom".into()]) else { return };
    assert!(tree.contains("<title>Alerts of shop: 1 of 2 proven</title>"), "{tree}");
    assert!(!tree.contains("<script") && !tree.contains("<img"), "{tree}");
    assert_eq!(tree.matches("<article").count(), 3);
    assert_eq!(tree.matches("<circle").count(), 13, "a stage has no mark");
}

/// A picture: rows of pixels, red, green, blue.
struct Picture {
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Screenshot of a page of this width, in a light or a dark browser; none if Chromium is not installed.
    fn of(page: &str, width: u32, dark: bool) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("picture.png");
        let scheme = u8::from(!dark);
        let arguments = [
            format!("--screenshot={}", file.display()),
            format!("--window-size={width},{TALL}"),
            "--hide-scrollbars".to_owned(),
            format!("--blink-settings=preferredColorScheme={scheme}"),
        ];
        chromium(page, folder.path(), &arguments)?;
        let picture = Self::read(&std::fs::read(file).unwrap());
        assert_eq!(picture.width, width as usize);
        Some(picture)
    }

    /// Reads the kind of PNG that Chromium writes: 8 bits a colour, not interlaced.
    fn read(png: &[u8]) -> Self {
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        let (width, height) = (number(16), number(20));
        let samples = match (png[24], png[25], png[28]) {
            (8, 2, 0) => 3,
            (8, 6, 0) => 4,
            other => panic!("another kind of picture: {other:?}"),
        };
        let (mut packed, mut at) = (Vec::new(), 8);
        while at < png.len() {
            let length = number(at);
            if &png[at + 4..at + 8] == b"IDAT" {
                packed.extend_from_slice(&png[at + 8..at + 8 + length]);
            }
            at += length + 12;
        }
        let mut rows = Vec::new();
        flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut rows).unwrap();
        let bytes = unfiltered(&rows, width * samples, height, samples);
        Self { width, pixels: bytes.chunks(samples).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect() }
    }

    fn column(&self, x: usize) -> impl Iterator<Item = [u8; 3]> {
        self.pixels.iter().skip(x).step_by(self.width).copied()
    }

    /// How much of the picture has this colour, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a few million pixels")]
    fn share(&self, colour: [u8; 3]) -> f64 {
        let count = self.pixels.iter().filter(|&&pixel| pixel == colour).count();
        count as f64 / self.pixels.len() as f64
    }
}

/// Undoes the filters of a PNG's rows.
fn unfiltered(rows: &[u8], stride: usize, height: usize, samples: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::with_capacity(stride * height);
    for row in rows.chunks(stride + 1) {
        let above = bytes.len().checked_sub(stride);
        for (x, &value) in row[1..].iter().enumerate() {
            let left = if x < samples { 0 } else { bytes[bytes.len() - samples] };
            let up = above.map_or(0, |above| bytes[above + x]);
            let corner = above.filter(|_| x >= samples).map_or(0, |above| bytes[above + x - samples]);
            let guess = match row[0] {
                0 => 0,
                1 => left,
                2 => up,
                3 => left.midpoint(up),
                _ => paeth(left, up, corner),
            };
            bytes.push(value.wrapping_add(guess));
        }
    }
    bytes
}

/// The Paeth predictor: of three neighbours, the one nearest to their linear estimate.
fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, up, corner].map(i16::from);
    let distance = |neighbour: i16| (a + b - c - neighbour).abs();
    if distance(a) <= distance(b) && distance(a) <= distance(c) {
        left
    } else if distance(b) <= distance(c) {
        up
    } else {
        corner
    }
}

/// `--page` of `style.css`.
const LIGHT: [u8; 3] = [0xff, 0xff, 0xff];
const DARK: [u8; 3] = [0x14, 0x17, 0x1c];

#[test]
fn on_a_phone_nothing_is_wider_than_the_screen_whether_it_is_dark_or_light() {
    for (dark, background) in [(false, LIGHT), (true, DARK)] {
        let Some(picture) = Picture::of(&page(), PHONE, dark) else { return };
        for x in [0, 1, PHONE as usize - 2, PHONE as usize - 1] {
            let others = picture.column(x).filter(|&pixel| pixel != background).count();
            assert_eq!(others, 0, "something reaches column {x} of {PHONE}; dark: {dark}");
        }
        let share = picture.share(background);
        assert!((0.3..0.99).contains(&share), "the page shows: {share} is background; dark: {dark}");
    }
}

#[test]
fn collapsed_details_are_printed_on_paper_in_dark_letters() {
    let (closed, mut open) = (page(), page());
    open = open.replace("<details>", "<details open>");
    assert_ne!(closed, open, "something is folded away");
    let print = |page: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.pdf");
        let arguments = [
            format!("--print-to-pdf={}", file.display()),
            "--no-pdf-header-footer".to_owned(),
            "--blink-settings=preferredColorScheme=0".to_owned(),
        ];
        chromium(page, folder.path(), &arguments)?;
        let text = Command::new("pdftotext").arg(&file).arg("-").output();
        Some(match text {
            Ok(text) => String::from_utf8_lossy(&text.stdout).into_owned(),
            Err(error) => {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "pdftotext is not installed: {error}");
                return None;
            }
        })
    };
    let (Some(closed), Some(open)) = (print(&closed), print(&open)) else { return };
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    for printed in ["Stages and expression", "Measured", "x > 1", "a_very_long_name_of_a_metric"] {
        assert!(words(&closed).contains(printed), "{printed} is not printed: {closed}");
    }
    assert_eq!(words(&closed), words(&open));
}

/// A proxy that forwards nothing and counts the requests caused by a page.
struct Proxy {
    address: std::net::SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_of_page(stream) {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { address, requests }
    }

    /// Number of network requests of Chromium while it shows a page.
    fn requests_of(page: &str) -> Option<usize> {
        let proxy = Self::start();
        let folder = tempfile::tempdir().unwrap();
        let arguments = [
            "--dump-dom".to_owned(),
            format!("--proxy-server=http://{}", proxy.address),
            "--proxy-bypass-list=<-loopback>".to_owned(),
        ];
        chromium(page, folder.path(), &arguments)?;
        Some(proxy.requests.load(Ordering::SeqCst))
    }
}

/// Hosts that Chromium itself contacts, whatever it shows: time, updates, accounts, hints.
const ITS_OWN: [&str; 4] = [
    "update.googleapis.com",
    "clients2.google.com",
    "accounts.google.com",
    "optimizationguide-pa.googleapis.com",
];

/// Whether a connection carries a request caused by the page.
fn is_of_page(mut stream: TcpStream) -> bool {
    let mut request = [0; 4096];
    let length = stream.read(&mut request).unwrap_or(0);
    let line = String::from_utf8_lossy(&request[..length]);
    let target = line.split_whitespace().nth(1).unwrap_or_default();
    let host = target.trim_start_matches("http://").split([':', '/']).next().unwrap_or_default();
    length > 0 && !ITS_OWN.contains(&host)
}

#[test]
fn no_request_leaves_the_page() {
    let asking =
        "<img src=\"http://monctl.example/x.png\"><link rel=stylesheet href=\"http://monctl.example/x.css\">";
    let Some(control) = Proxy::requests_of(asking) else { return };
    assert!(control >= 2, "requests of a page are noticed: {control}");
    assert_eq!(Proxy::requests_of(&page()), Some(0));
}
