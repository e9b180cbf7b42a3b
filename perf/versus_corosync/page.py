"""The results as a table of text and as one HTML page with pictures, which needs nothing else."""

import html
import math

from pictures.style import number, page

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
    return f"{ratio:,.0f} x" if ratio >= 10 else f"{ratio:.2g} x"


def table(results):
    width = max(len(shape["name"]) for shape in results["shapes"])
    lines = [f"{'shape':{width}} {'phalanx':>13} {'corosync':>13} {'ratio':>8}"
             f" {'unencrypted':>13} {'ratio':>8}"]
    for row in comparisons(results):
        unit = row["shape"]["unit"]
        lines.append(f"{row['shape']['name']:{width}} {cell(row['ours'], unit):>13} "
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
    left, width, height = 195, 150, 22
    out = [f'<svg viewBox="0 0 440 {height * len(rows) + 6}" role="img" '
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


def percentiles(results):
    """Latencies in full: the better cluster of a kind by its median may not be so at p99."""
    rows = ""
    for shape in results["shapes"]:
        for name, cluster in results["clusters"].items():
            found = cluster.get("median", {}).get(shape["name"], {})
            if "p99_us" in found:
                rows += (f"<tr><td>{html.escape(shape['name'])}</td><td>{html.escape(name)}</td>" +
                         "".join(f"<td>{number(found[q])}</td>" for q in
                                 ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")) + "</tr>")
    return ('<h2>Latencies, us</h2><div class="wide"><table><tr><th>shape</th><th>cluster</th>'
            "<th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th></tr>"
            f"{rows}</table></div>" if rows else "")


def costs(results):
    """Processor time and fairness of every rate, and what encryption took of it."""
    rows = ""
    for shape in results["shapes"]:
        for name, cluster in results["clusters"].items():
            found = cluster.get("median", {}).get(shape["name"], {})
            if "cpu_us" not in found:
                continue
            rows += (f"<tr><td>{html.escape(shape['name'])}</td><td>{html.escape(name)}</td>"
                     f"<td>{number(found['msgs_per_s'])}</td><td>{number(found['mb_per_s'])}</td>"
                     f"<td>{number(found['cpu_us'])}</td><td>{found['fairness']:.3f}</td>"
                     f"<td>{price(results, shape, name, cluster)}</td></tr>")
    return ('<h2>Rates in full</h2><div class="wide"><table><tr><th>shape</th><th>cluster</th>'
            "<th>msg/s</th><th>MB/s</th><th>cpu, us a message and node</th>"
            "<th>fairness (Jain)</th><th>encryption takes</th></tr>"
            f"{rows}</table></div>" if rows else "")


def price(results, shape, name, cluster):
    """Per cent of the rate that the same cluster has unencrypted; where that was measured."""
    plain = name.replace("aes256", "open") if "aes256" in name else name + " open"
    other = results["clusters"].get(plain, {})
    rate = other.get("median", {}).get(shape["name"], {}).get("msgs_per_s")
    if not cluster["secure"] or not rate:
        return "-"
    return f"{(1 - cluster['median'][shape['name']]['msgs_per_s'] / rate) * 100:.0f} %"


def render(results):
    machine = results["machine"]
    rows = "".join(
        f"<tr><td>{html.escape(row['shape']['name'])}</td>"
        f"<td>{cell(row['ours'], row['shape']['unit'])}</td>"
        f"<td>{cell(row['secure'], row['shape']['unit'])}</td><td>{times(row['secure_ratio'])}</td>"
        f"<td>{cell(row['open'], row['shape']['unit'])}</td>"
        f"<td>{times(row['open_ratio'])}</td></tr>"
        for row in comparisons(results))
    pictures = "".join(f"<figure><figcaption>{html.escape(shape['name'])}"
                       f" ({'more' if shape['more'] else 'less'} is better)</figcaption>"
                       f"{bars(results, shape)}</figure>" for shape in results["shapes"])
    failures = "".join(f"<li>{html.escape(text)}</li>" for text in results["failures"])
    environment = ", ".join(f"{key} {value}" for key, value in machine.items())
    commands = "".join(f"<dt>{html.escape(name)}</dt><dd><code>{html.escape(c['command'])}</code>"
                       "</dd>" for name, c in results["clusters"].items())
    return page(f"Phalanx and corosync {machine['corosync']}", f"""
<p>{results['nodes']} nodes on one host ({html.escape(machine['processor'])},
{machine['cores']} cores, Linux {html.escape(machine['kernel'])}, load {machine['load']:.1f}
before and {results['load_at_end']:.1f} at the end), {html.escape(machine['time'])}.
Medians of {results['rounds']} round(s) of {results['seconds']:g} s;
every round starts each cluster anew. The same client loop drives both; a rate is what the slowest
node delivered.
Command: <code>{html.escape(results['command'])}</code></p>
<div class="wide"><table><tr><th>shape</th><th>phalanx, encrypted</th><th>corosync, encrypted</th>
<th>ratio</th><th>corosync, open</th><th>ratio</th></tr>{rows}</table></div>
<p>Phalanx: its best transport, AES-256-GCM. Corosync: the better of its configurations of that
security. A ratio over 1 means that Phalanx is ahead.</p>
{'<h2>Failed</h2><ul>' + failures + '</ul>' if failures else ''}
{percentiles(results)}{costs(results)}
<h2>Pictures</h2>
<p>Scales are logarithmic; a pale bar is unencrypted.</p>
<div class="charts">{pictures}</div>
<h2>Commands</h2><dl>{commands}</dl>
<h2>Environment</h2><p>{html.escape(environment)}</p>
""")
