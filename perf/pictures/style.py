"""The look of every page: light and dark, phone and desk; nothing is fetched from elsewhere."""

import html

SERIES = 6  # Colours; further series begin again, dashed.

STYLE = """
:root { --ours: #1769aa; --theirs: #b4552d; --line: #ccc; --back: #fff; --text: #1b1b1b;
  --s0: #1769aa; --s1: #b4552d; --s2: #2e7d32; --s3: #7b3fa0; --s4: #8a6d00; --s5: #00707a; }
@media (prefers-color-scheme: dark) {
  :root { --ours: #6db3f2; --theirs: #e39a6f; --line: #444; --back: #16181b; --text: #e6e6e6;
    --s0: #6db3f2; --s1: #e39a6f; --s2: #81c784; --s3: #c79ae0; --s4: #d9bd4f; --s5: #5fc3cc; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--back); color: var(--text); overflow-wrap: break-word; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
td { white-space: nowrap; }
td:first-child, th:first-child { text-align: left; }
pre { overflow-x: auto; }
.charts { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; } figcaption { font-weight: 600; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: var(--text); }
svg .axis { stroke: var(--line); stroke-width: 1; fill: none; }
svg .curve { stroke-width: 2; fill: none; } svg .dashed { stroke-dasharray: 5 3; }
"""


def page(title, body):
    """One file that needs no other."""
    return (f'<!doctype html>\n<html lang="en"><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width">\n'
            f"<title>{html.escape(title)}</title><style>{STYLE}</style>\n"
            f"<h1>{html.escape(title)}</h1>\n{body}\n</html>\n")


def number(value):
    """Short, for people: 1.25 M, 340 k, 12.5."""
    for limit, scale, unit in ((1e9, 1e9, " G"), (1e6, 1e6, " M"), (1e4, 1e3, " k")):
        if abs(value) >= limit:
            return f"{value / scale:.3g}{unit}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
