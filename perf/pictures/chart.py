"""Pictures as inline SVG: lines over labelled axes, and dots for the spread of runs."""

import html
import math
import statistics

from .style import SERIES, number

WIDTH, HEIGHT = 440, 290
LEFT, RIGHT, TOP, BOTTOM = 58, 104, 10, 44
LABEL_GAP = 13


class Axis:
    """Where values lie. kind: "log", "linear", or "nines" (a quantile by how rare what is above
    it is); ticks: (value, text), chosen when not given."""

    def __init__(self, title, values, kind="log", ticks=None):
        self.title, self.kind = title, kind
        wanted = [self._at(v) for v in values] + [self._at(v) for v, _ in ticks or []]
        self.low, self.high = min(wanted), max(wanted)
        if self.high - self.low < 1e-9:
            self.low, self.high = self.low - 0.5, self.high + 0.5
        self.ticks = ticks or self._choose()

    def _at(self, value):
        if self.kind == "linear":
            return value
        if self.kind == "nines":
            return -math.log10(max(1 - value, 1e-9))
        return math.log10(max(value, 1e-12))

    def place(self, value):
        """0 to 1."""
        return (self._at(value) - self.low) / (self.high - self.low)

    def _choose(self):
        if self.kind == "linear":
            step = 10 ** math.floor(math.log10((self.high - self.low) / 3))
            step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (step * m) <= 5)
            first = math.ceil(self.low / step)
            return [(n * step, number(n * step))
                    for n in range(first, math.floor(self.high / step + 1e-9) + 1)]
        span = self.high - self.low
        for factors in ((1, 2, 5), (1, 3), (1,)):
            ticks = [(f * 10.0 ** e, number(f * 10.0 ** e))
                     for e in range(math.floor(self.low), math.ceil(self.high) + 1)
                     for f in factors
                     if self.low - 1e-9 <= math.log10(f * 10.0 ** e) <= self.high + 1e-9]
            if len(ticks) <= 7:
                break
        if len(ticks) < 2:  # Within one decade: its own ends.
            ticks = [(10 ** (self.low + span * s), number(10 ** (self.low + span * s)))
                     for s in (0, 0.5, 1)]
        return ticks[::max(1, len(ticks) // 7)]


NINES = [(0.0, "0"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99"),
         (0.99999, "99.999")]


def nines(values):
    """The axis of percentile curves, as far as they go."""
    most = max(values)
    return Axis("percentile", values, "nines",
                [(v, text) for v, text in NINES if v <= most] or NINES[:1])


def axes(x, y):
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    out = [f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>']
    for value, text in x.ticks:
        at = LEFT + x.place(value) * (right - LEFT)
        out.append(f'<path class="axis" d="M{at:.1f} {bottom}v4"/>'
                   f'<text x="{at:.1f}" y="{bottom + 17}" text-anchor="middle">{text}</text>')
    for value, text in y.ticks:
        at = bottom - y.place(value) * (bottom - TOP)
        out.append(f'<path class="axis" d="M{LEFT} {at:.1f}H{right}" opacity="0.5"/>'
                   f'<text x="{LEFT - 5}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
    out.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
               f"{html.escape(x.title)}</text>"
               f'<text transform="translate(13 {(TOP + bottom) / 2}) rotate(-90)" '
               f'text-anchor="middle">{html.escape(y.title)}</text>')
    return "".join(out)


def spread_labels(wanted):
    """Heights of labels as near as can be to those wanted, none over another."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed, last = list(wanted), -math.inf
    for i in order:
        placed[i] = last = max(wanted[i], last + LABEL_GAP)
    limit = HEIGHT - BOTTOM + 6
    for i in reversed(order):  # Back up what ran over the bottom.
        placed[i] = min(placed[i], limit)
        limit = placed[i] - LABEL_GAP
    return placed


def lines(caption, series, x, y):
    """A <figure>; series: (label, [(x, y), ...]), each named where it ends."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    drawn, ends = [], []
    for index, (label, points) in enumerate(series):
        at = [(LEFT + x.place(a) * (right - LEFT), bottom - y.place(b) * (bottom - TOP))
              for a, b in points]
        colour = f"var(--s{index % SERIES})"
        path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in at)
        dashed = " dashed" if index >= SERIES else ""
        drawn.append(f'<path class="curve{dashed}" stroke="{colour}" d="{path}"/>')
        drawn += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="{colour}"/>' for a, b in at]
        ends.append((at[-1], colour, label))
    heights = spread_labels([end[1] + 4 for end, _, _ in ends])
    for ((a, b), colour, label), height in zip(ends, heights):
        drawn.append(f'<path d="M{a + 3:.1f} {b:.1f}L{right + 6} {height - 4:.1f}" '
                     f'stroke="{colour}" opacity="0.5"/>'
                     f'<text x="{right + 8}" y="{height:.1f}" style="fill:{colour}">'
                     f"{html.escape(label)}</text>")
    return (f'<figure><figcaption>{html.escape(caption)}</figcaption>'
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{html.escape(caption)}">{axes(x, y)}{"".join(drawn)}</svg></figure>')


def strips(caption, rows):
    """A row a point: its runs as dots, by per cent off their median. rows: (label, runs)."""
    left, width, step = 200, 220, 22
    off = [(label, [(run / middle - 1) * 100 for run in runs])
           for label, runs in rows if (middle := statistics.median(runs)) > 0]
    if not off:
        return ""
    far = max(1.0, max(abs(v) for _, values in off for v in values))
    axis = Axis("off the median, %", [-far, far], "linear")
    bottom = TOP + step * len(off)
    out = []
    for value, text in axis.ticks:
        at = left + axis.place(value) * width
        out.append(f'<path class="axis" d="M{at:.1f} {TOP}V{bottom}"/>'
                   f'<text x="{at:.1f}" y="{bottom + 15}" text-anchor="middle">{text}</text>')
    for index, (label, values) in enumerate(off):
        y = TOP + step * (index + 0.5)
        out.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{html.escape(label)}'
                   "</text>")
        out += [f'<circle cx="{left + axis.place(v) * width:.1f}" cy="{y}" r="4" '
                f'fill="var(--s0)" opacity="0.6"/>' for v in values]
    out.append(f'<text x="{left + width / 2}" y="{bottom + 32}" text-anchor="middle">'
               f"{axis.title}</text>")
    return (f'<figure><figcaption>{html.escape(caption)}</figcaption>'
            f'<svg viewBox="0 0 {WIDTH} {bottom + 38}" role="img" '
            f'aria-label="{html.escape(caption)}">{"".join(out)}</svg></figure>')
