"""The results as a table of text and as one HTML page with pictures, which needs nothing else."""

import html
import math

COLOURS = {"phalanx": "var(--ours)", "corosync": "var(--theirs)"}


def best(results, shape, family, secure=None):
    """(name, figure) of the best cluster of a family, or None."""
    found = []
    for name, cluster in results["clusters"].items():
        median = cluster.get("median", {}).get(shape["name"])
        if median and cluster["family"] == family and secure in (None, cluster["secure"]):
            found.append((name, median[shape["figure"]]))
    if not found:
        return None
    return (max if shape["more"] else min)(found, key=lambda pair: pair[1])


def number(value):
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    if value >= 1e4:
        return f"{value / 1e3:.0f} k"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def comparisons(results):
    """A row a shape: ours, encrypted, against the better corosync, encrypted and open."""
    for shape in results["shapes"]:
        ours = best(results, shape, "phalanx", True)
        row = {"shape": shape, "ours": ours}
        for key, secure in (("secure", True), ("open", False)):
            theirs = best(results, shape, "corosync", secure)
            row[key] = theirs
            ratio = None
            if ours and theirs and min(ours[1], theirs[1]) > 0:
                ratio = ours[1] / theirs[1] if shape["more"] else theirs[1] / ours[1]
            row[key + "_ratio"] = ratio
        yield row


def cell(pair, unit):
    return f"{number(pair[1])} {unit}" if pair else "-"


def times(ratio):
    if not ratio:
        return "-"
    return f"{ratio:,.0f} x" if ratio >= 100 else f"{ratio:.2g} x"


def table(results):
    lines = [f"{'shape':42} {'phalanx':>13} {'corosync':>13} {'ratio':>8}"
             f" {'unencrypted':>13} {'ratio':>8}"]
    for row in comparisons(results):
        unit = row["shape"]["unit"]
        lines.append(f"{row['shape']['name']:42} {cell(row['ours'], unit):>13} "
                     f"{cell(row['secure'], unit):>13} {times(row['secure_ratio']):>8} "
                     f"{cell(row['open'], unit):>13} {times(row['open_ratio']):>8}")
    lines.append("phalanx: encrypted, its best transport. A ratio over 1: phalanx is ahead.")
    return "\n".join(lines + [f"failed: {text}" for text in results["failures"]])


def bars(results, shape):
    """Every cluster's median as a bar on a logarithmic scale, with what it stands for."""
    rows = [(name, cluster, cluster["median"][shape["name"]])
            for name, cluster in results["clusters"].items()
            if shape["name"] in cluster.get("median", {})]
    values = [max(median[shape["figure"]], 1e-9) for _, _, median in rows]
    if not values:
        return ""
    low, high = math.log10(min(values)) - 0.3, math.log10(max(values))
    left, width, height = 250, 420, 24
    out = [f'<svg viewBox="0 0 800 {height * len(rows) + 6}" role="img" '
           f'aria-label="{html.escape(shape["name"])}">']
    for index, ((name, cluster, _), value) in enumerate(zip(rows, values)):
        length = max(2.0, width * (math.log10(value) - low) / max(high - low, 1e-9))
        y = index * height + 4
        out.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{html.escape(name)}</text>'
                   f'<rect x="{left}" y="{y}" width="{length:.1f}" height="16" rx="2" '
                   f'fill="{COLOURS[cluster["family"]]}" '
                   f'opacity="{1 if cluster["secure"] else 0.55}"/>'
                   f'<text x="{left + length + 6:.1f}" y="{y + 13}">{number(value)} '
                   f'{shape["unit"]}</text>')
    return "".join(out) + "</svg>"


STYLE = """
:root { --ours: #1769aa; --theirs: #b4552d; --line: #ccc; --back: #fff; --text: #1b1b1b; }
@media (prefers-color-scheme: dark) {
  :root { --ours: #6db3f2; --theirs: #e39a6f; --line: #444; --back: #16181b; --text: #e6e6e6; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--back); color: var(--text); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
td { white-space: nowrap; }
td:first-child, th:first-child { text-align: left; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif;
  fill: var(--text); }
"""


def render(results):
    machine = results["machine"]
    rows = "".join(
        f"<tr><td>{html.escape(row['shape']['name'])}</td>"
        f"<td>{cell(row['ours'], row['shape']['unit'])}</td>"
        f"<td>{cell(row['secure'], row['shape']['unit'])}</td><td>{times(row['secure_ratio'])}</td>"
        f"<td>{cell(row['open'], row['shape']['unit'])}</td>"
        f"<td>{times(row['open_ratio'])}</td></tr>"
        for row in comparisons(results))
    pictures = "".join(f"<h2>{html.escape(shape['name'])}"
                       f" <small>({'more' if shape['more'] else 'less'} is better)</small></h2>"
                       f"{bars(results, shape)}" for shape in results["shapes"])
    failures = "".join(f"<li>{html.escape(text)}</li>" for text in results["failures"])
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Phalanx and corosync</title><style>{STYLE}</style>
<h1>Phalanx and corosync {html.escape(machine['corosync'])}</h1>
<p>{results['nodes']} nodes on one host ({html.escape(machine['processor'])},
{machine['cores']} cores, Linux {html.escape(machine['kernel'])}, load
{machine['load']:.1f} at the end),
{html.escape(machine['when'])}. Medians of {results['rounds']} round(s) of {results['seconds']:g} s;
every round starts each cluster anew. The same client loop drives both; a rate is what the slowest
node delivered.
Command: <code>{html.escape(results['command'])}</code></p>
<table><tr><th>shape</th><th>phalanx, encrypted</th><th>corosync, encrypted</th><th>ratio</th>
<th>corosync, open</th><th>ratio</th></tr>{rows}</table>
<p>Phalanx: its best transport, AES-256-GCM. Corosync: the better of its configurations of that
security. A ratio over 1 means that Phalanx is ahead.</p>
{'<h2>Failed</h2><ul>' + failures + '</ul>' if failures else ''}
{pictures}
<p>Scales are logarithmic; a pale bar is unencrypted.</p>
</html>
"""
