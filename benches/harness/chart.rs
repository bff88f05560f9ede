//! Pictures: panels side by side, in each one bar for each of the things compared.

use std::fmt::Write as _;

use super::figures::show;

/// One figure of everything compared.
pub struct Panel {
    pub title: String,
    pub unit: &'static str,
    /// "less is better" or "more is better".
    pub better: &'static str,
    /// In the order of the legend; `None` where it was not measured.
    pub bars: Vec<Option<f64>>,
}

/// All panels and what belongs to all of them.
pub struct Picture {
    pub title: String,
    pub legend: Vec<&'static str>,
    pub panels: Vec<Panel>,
    /// Where it was measured.
    pub source: String,
}

const COLOURS: [&str; 4] = ["#2f6fb0", "#8ab4d8", "#d0803a", "#8a8a8a"];
const COLUMNS: usize = 3;
const PANEL: (f64, f64) = (300.0, 210.0);
/// Inside a panel: where the bars stand.
const PLOT: (f64, f64, f64, f64) = (54.0, 46.0, 230.0, 130.0);
const TOP: f64 = 64.0;
const TICKS: u32 = 4;

impl Picture {
    pub fn svg(&self) -> String {
        let width = PANEL.0 * as_f64(COLUMNS);
        let height = TOP + PANEL.1 * as_f64(self.panels.len().div_ceil(COLUMNS)) + 28.0;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        );
        text(&mut out, 16.0, 24.0, "start", 16.0, &self.title);
        for (index, name) in self.legend.iter().enumerate() {
            let x = 16.0 + 160.0 * as_f64(index);
            rect(&mut out, (x, 38.0, 12.0, 12.0), COLOURS[index % COLOURS.len()]);
            text(&mut out, x + 18.0, 48.0, "start", 12.0, name);
        }
        for (index, panel) in self.panels.iter().enumerate() {
            panel.draw(&mut out, (PANEL.0 * as_f64(index % COLUMNS), TOP + PANEL.1 * as_f64(index / COLUMNS)));
        }
        text(&mut out, 16.0, height - 12.0, "start", 10.0, &self.source);
        out.push_str("</svg>\n");
        out
    }
}

impl Panel {
    fn draw(&self, out: &mut String, origin: (f64, f64)) {
        let (left, top, width, height) = (origin.0 + PLOT.0, origin.1 + PLOT.1, PLOT.2, PLOT.3);
        let better = self.better;
        let unit = if self.unit.is_empty() { better.to_owned() } else { format!("{} ({better})", self.unit) };
        text(out, origin.0 + 16.0, origin.1 + 18.0, "start", 13.0, &self.title);
        text(out, origin.0 + 16.0, origin.1 + 34.0, "start", 10.0, &unit);
        let scale = axis_end(self.bars.iter().flatten().copied().fold(0.0, f64::max));
        for tick in 0..=TICKS {
            let share = f64::from(tick) / f64::from(TICKS);
            let y = top + height * (1.0 - share);
            let _ =
                writeln!(out, "<line x1=\"{left}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#ddd\"/>", left + width);
            text(out, left - 6.0, y + 4.0, "end", 10.0, &plain(scale * share));
        }
        let slot = width / as_f64(self.bars.len());
        for (index, value) in self.bars.iter().enumerate() {
            let x = left + slot * as_f64(index) + slot * 0.2;
            let Some(value) = value else { continue };
            let bar = height * value / scale;
            rect(out, (x, top + height - bar, slot * 0.6, bar), COLOURS[index % COLOURS.len()]);
            text(out, x + slot * 0.3, top + height - bar - 4.0, "middle", 11.0, &show(*value));
        }
    }
}

/// The least of 1, 2, 4, 5, 8 times a power of ten that leaves room above the highest bar.
fn axis_end(highest: f64) -> f64 {
    let wanted = (highest * 1.1).max(1e-6);
    let power = 10f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0].into_iter().find(|step| step * power >= wanted);
    step.unwrap_or(10.0) * power
}

/// A number on an axis.
fn plain(value: f64) -> String {
    if value >= 1000.0 { format!("{}k", value / 1000.0) } else { format!("{}", (value * 1e6).round() / 1e6) }
}

fn rect(out: &mut String, (x, y, width, height): (f64, f64, f64, f64), colour: &str) {
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
    );
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, size: f64, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    let _ =
        writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{content}</text>");
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
