"""A page of results of `phalanx-perf --json`: which pictures there are to draw of them."""

import html
import json

from . import chart
from .style import number, page


class Bad(Exception):
    """A file that is not a result."""


def read(path):
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Bad(f"{path}: {error}") from None
    if not isinstance(result, dict) or result.get("program") != "phalanx-perf" or \
            result.get("version") != 1 or not isinstance(result.get("points"), list):
        raise Bad(f"{path}: no result of phalanx-perf --json, version 1")
    result["file"] = path.name
    return result


def points_of(results, benchmark=None, load=None):
    """(result, point) of all results of a kind."""
    return [(result, point) for result in results for point in result["points"]
            if benchmark in (None, result["benchmark"]) and
            load in (None, result["parameters"].get("load"))]


def median(point, figure):
    return point["figures"].get(figure, {}).get("median")


def parts_of(result, point, without=()):
    """What the point differs by, short, for a label."""
    p, at = result["parameters"], point["at"]
    parts = [str(p["transport"]).replace("dpdk:", "")] if "transport" in p else []
    parts += [f"{at['nodes']} n"] if "nodes" in at and "nodes" not in without else []
    parts += [f"{at['size']} B"] if "size" in at and "size" not in without else []
    if p.get("senders", "1") != "1":
        parts.append("from " + p["senders"])
    parts += [str(p["load"])] if p.get("load") and "load" not in without else []
    parts += [f"{number(at['rate'])}/s"] if at.get("rate") and "rate" not in without else []
    parts += [str(at[key]).replace("aes-256-gcm ", "") for key in ("cipher", "sender") if key in at]
    parts += [w for w, on in (("safe", p.get("safe")), ("open", p.get("encrypted") is False)) if on]
    return tuple(parts) or (result["benchmark"],)


def name_of(result, point):
    return " ".join(parts_of(result, point))


def titled(caption, series):
    """What all labels share goes to the caption: (caption, series with what is left)."""
    shared = [part for part in series[0][0] if all(part in parts for parts, _ in series)]
    if len(series) > 1:
        series = [(" ".join(part for part in parts if part not in shared), values)
                  for parts, values in series]
    else:
        series = [("", values) for _, values in series]
    return f"{caption} ({' '.join(shared)})" if shared else caption, series


def sweep(found, key, figure, without):
    """[(label, [(key, figure), ...])] of points that differ in `key` alone."""
    series = {}
    for result, point in found:
        x, y = point["at"].get(key), median(point, figure)
        if x and y:
            series.setdefault(parts_of(result, point, without), {})[x] = y
    return [(label, sorted(values.items())) for label, values in sorted(series.items())]


def draw(caption, series, x_title, y_title, linear_x=False):
    """Lines of two points and more; nothing when there are none."""
    series = [one for one in series if len(one[1]) > 1]
    if not series:
        return ""
    caption, series = titled(caption, series)
    xs = [a for _, values in series for a, _ in values]
    ys = [b for _, values in series for _, b in values]
    ticks = [(v, number(v)) for v in sorted(set(xs))] if len(set(xs)) <= 7 else None
    kind = "linear" if linear_x else "log"
    return chart.lines(caption, series, chart.Axis(x_title, xs, kind, ticks),
                       chart.Axis(y_title, ys))


def percentile_curves(results):
    pictures, by_kind = [], {}
    for result, point in points_of(results):
        for kind, found in point["latency_ns"].items():
            curve = [(q, max(ns, 1) / 1e3) for q, ns in found["curve"]]
            if len(curve) > 1:
                by_kind.setdefault((result["benchmark"], kind), []).append(
                    (parts_of(result, point), curve))
    for (benchmark, kind), series in by_kind.items():
        for begin in range(0, len(series), 8):  # More than eight lines nobody reads.
            part = series[begin:begin + 8]
            xs = [q for _, curve in part for q, _ in curve]
            ys = [us for _, curve in part for _, us in curve]
            caption, part = titled(f"{benchmark}: {kind.replace('_', ' ')}", part)
            pictures.append(chart.lines(caption, part,
                                        chart.nines(xs), chart.Axis("latency, us", ys)))
    return pictures


def rate_against_p999(results):
    series = {}
    for result, point in points_of(results, "group", "open"):
        own, rate = point["latency_ns"].get("own_delivery"), median(point, "messages_per_s")
        if own and rate:
            series.setdefault(parts_of(result, point, ("rate", "load")), []).append(
                (rate, own["p999"] / 1e3))
    return [draw("rate against p99.9 of own delivery",
                 [(label, sorted(values)) for label, values in series.items()],
                 "delivered, messages/s", "p99.9, us")]


def sweeps(results):
    flood = points_of(results, "group", "flood")
    out = [draw("size sweep: messages", sweep(flood, "size", "messages_per_s", ("size", "load")),
                "bytes a message", "messages/s"),
           draw("size sweep: bytes", sweep(flood, "size", "mb_per_s", ("size", "load")),
                "bytes a message", "MB/s"),
           draw("size sweep: processor time of the daemons",
                sweep(flood, "size", "daemon_cpu_us_a_message", ("size", "load")),
                "bytes a message", "us a message and node"),
           draw("node sweep: messages", sweep(flood, "nodes", "messages_per_s", ("nodes", "load")),
                "nodes", "messages/s", linear_x=True),
           draw("node sweep: processor time of the daemons",
                sweep(flood, "nodes", "daemon_cpu_us_a_message", ("nodes", "load")),
                "nodes", "us a message and node", linear_x=True)]
    for benchmark, figure, title in (("aead", "seal_ns", "ns to seal"), ("aead", "open_ns",
                                     "ns to open"), ("ring", "mb_per_s", "MB/s")):
        out.append(draw(f"{benchmark}: {figure.replace('_', ' ')}",
                        sweep(points_of(results, benchmark), "size", figure, ("size",)),
                        "bytes", title))
    return out


def spread(results):
    rows = []
    for result, point in points_of(results):
        for name, figure in list(point["figures"].items())[:1]:
            if len(figure["runs"]) > 1:
                rows.append((f"{name_of(result, point)} ({len(figure['runs'])})", figure["runs"]))
    return [chart.strips("runs off their median (how many)", rows[begin:begin + 16])
            for begin in range(0, len(rows), 16)]


def tables(results):
    out = []
    for result in results:
        rows = "".join(
            f"<tr><td>{html.escape(name_of(result, point))}</td><td>{html.escape(name)}</td>"
            f"<td>{number(f['median'])} {html.escape(f['unit'])}</td><td>{number(f['min'])}</td>"
            f"<td>{number(f['max'])}</td><td>{len(f['runs'])}</td></tr>"
            for point in result["points"] for name, f in point["figures"].items() if f["runs"])
        latencies = "".join(
            f"<tr><td>{html.escape(name_of(result, point))}</td><td>{html.escape(name)}</td>" +
            "".join(f"<td>{number(f[q] / 1e3)}</td>"
                    for q in ("p50", "p90", "p99", "p999", "max")) +
            f"<td>{f['count']:,}</td></tr>"
            for point in result["points"] for name, f in point["latency_ns"].items())
        trouble = (f"<p><strong>WRONG: {html.escape(result['trouble'])}</strong></p>"
                   if result.get("trouble") else "")
        out.append(
            f"<h3>{html.escape(result['file'])}</h3>{trouble}"
            f"<p>{html.escape(words(result['parameters']))}</p>"
            f'<div class="wide"><table><tr><th>point</th><th>figure</th><th>median</th>'
            f"<th>least</th><th>most</th><th>runs</th></tr>{rows}</table></div>" +
            (f'<div class="wide"><table><tr><th>point</th><th>latency, us</th><th>p50</th>'
             f"<th>p90</th><th>p99</th><th>p99.9</th><th>max</th><th>of</th></tr>{latencies}"
             "</table></div>" if latencies else ""))
    return "".join(out)


def words(pairs):
    return ", ".join(f"{key} {value}" for key, value in pairs.items() if value not in (None, ""))


def section(title, pictures):
    drawn = "".join(pictures)
    return f'<h2>{title}</h2><div class="charts">{drawn}</div>' if drawn else ""


# Each result has its own.
OF_THE_MINUTE = ("time", "load", "huge_pages_free", "line_round_trip_ns", "switch_ns",
                 "yield_ns")


def between(results, key, form):
    """From the least to the most of an environment's number, or nothing."""
    values = [r["environment"][key] for r in results if r["environment"].get(key) is not None]
    return form.format(min(values), max(values)) if values else ""


def render(results):
    same = {words({k: v for k, v in r["environment"].items() if k not in OF_THE_MINUTE})
            for r in results}
    hosts = "".join(f"<p>{html.escape(one)}</p>" for one in sorted(same))
    times = sorted(r["environment"]["time"] for r in results)
    when = (f"<p>Taken {html.escape(times[0])} to {html.escape(times[-1])}" +
            between(results, "load", ", load of the host {:.1f} to {:.1f}") +
            between(results, "line_round_trip_ns",
                    ", a line of memory to another core and back in {:.0f} to {:.0f} ns") +
            ".</p>")
    mixed = ("" if len(same) == 1 else
             "<p><strong>These were taken in different environments.</strong></p>")
    return page("Phalanx: measured", hosts + when + mixed +
                section("Rate against latency", rate_against_p999(results)) +
                section("Percentiles", percentile_curves(results)) +
                section("Sizes and nodes", sweeps(results)) +
                section("From run to run", spread(results)) +
                "<h2>All figures</h2>" + tables(results))
