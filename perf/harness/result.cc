#include "perf/harness/result.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <sstream>

#include "controlplane/cli/output.h"
#include "perf/harness/environment.h"

namespace phalanx::perf {
namespace {

using nlohmann::ordered_json;

/// From the middle to one in a million, as far as there are that many values.
constexpr std::array kQuantiles{0.0,  0.1,   0.25,  0.5,    0.75,   0.9,     0.95,
                                0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999, 0.999999};

ordered_json figure_json(const Figure& figure) {
  ordered_json out = {{"unit", figure.unit}, {"more_is_better", figure.more_is_better}};
  const bool has = !figure.runs.empty();
  out["median"] = has ? ordered_json(figure.median()) : ordered_json(nullptr);
  out["min"] = has ? ordered_json(figure.least()) : ordered_json(nullptr);
  out["max"] = has ? ordered_json(figure.most()) : ordered_json(nullptr);
  out["runs"] = figure.runs;
  return out;
}

ordered_json latencies_json(const Histogram& ns) {
  ordered_json curve = ordered_json::array();
  for (const double q : kQuantiles) {
    // A quantile beyond the last value but one says no more than the greatest.
    if ((1 - q) * static_cast<double>(ns.total()) >= 1) curve.push_back({q, ns.at(q)});
  }
  return {{"count", ns.total()},      {"p50", ns.at(0.5)},    {"p90", ns.at(0.9)},
          {"p99", ns.at(0.99)},       {"p999", ns.at(0.999)}, {"max", ns.max()},
          {"curve", std::move(curve)}};
}

std::string number(double value) {
  if (value >= 1e5) return cli::short_number(value);
  return cli::fixed(value, value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 4);
}

std::string microseconds(std::uint64_t ns) { return number(static_cast<double>(ns) / 1e3); }

std::string told(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

double Figure::median() const {
  std::vector<double> sorted = runs;
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
double Figure::least() const { return *std::ranges::min_element(runs); }
double Figure::most() const { return *std::ranges::max_element(runs); }

std::string result_json(const Result& result) {
  ordered_json points = ordered_json::array();
  for (const Point& point : result.points) {
    ordered_json figures = ordered_json::object();
    for (const Figure& figure : point.figures) figures[figure.name] = figure_json(figure);
    ordered_json latencies = ordered_json::object();
    for (const Latencies& one : point.latencies) {
      if (one.ns.total() > 0) latencies[one.name] = latencies_json(one.ns);
    }
    points.push_back(
        {{"at", point.at}, {"figures", std::move(figures)}, {"latency_ns", std::move(latencies)}});
  }
  const ordered_json out = {{"version", 1},
                            {"program", "phalanx-perf"},
                            {"benchmark", result.benchmark},
                            {"parameters", result.parameters},
                            {"environment", environment()},
                            {"points", std::move(points)},
                            {"trouble", result.trouble}};
  return out.dump() + "\n";
}

std::string result_text(const Result& result) {
  std::string out = result.benchmark + ":";
  for (const auto& [key, value] : result.parameters.items()) out += " " + key + "=" + told(value);
  out += "\n";
  for (const Point& point : result.points) {
    std::string where;
    for (const auto& [key, value] : point.at.items()) {
      where += std::string(where.empty() ? "" : ", ") + key + " " + told(value);
    }
    out += where + "\n";
    for (const Figure& figure : point.figures) {
      std::array<char, 160> line{};
      if (figure.runs.empty()) {
        std::snprintf(line.data(), line.size(), "  %-32s not to be had here\n",
                      figure.name.c_str());
      } else {
        std::snprintf(line.data(), line.size(), "  %-32s %10s %-9s %s to %s in %zu runs\n",
                      figure.name.c_str(), number(figure.median()).c_str(), figure.unit.c_str(),
                      number(figure.least()).c_str(), number(figure.most()).c_str(),
                      figure.runs.size());
      }
      out += line.data();
    }
    for (const Latencies& one : point.latencies) {
      if (one.ns.total() == 0) continue;
      out += "  " + one.name + ", us: p50 " + microseconds(one.ns.at(0.5)) + ", p90 " +
             microseconds(one.ns.at(0.9)) + ", p99 " + microseconds(one.ns.at(0.99)) + ", p99.9 " +
             microseconds(one.ns.at(0.999)) + ", max " + microseconds(one.ns.max()) + " of " +
             cli::grouped(one.ns.total()) + "\n";
    }
  }
  if (!result.trouble.empty()) out += "WRONG: " + result.trouble + "\n";
  return out;
}

ExitCode print_result(const Result& result, const cli::Globals& globals) {
  std::fputs((globals.json ? result_json(result) : result_text(result)).c_str(), stdout);
  return result.trouble.empty() ? ExitCode::Fine : ExitCode::Failed;
}

Expected<std::vector<std::uint64_t>, Error> read_numbers(const std::string& option,
                                                         const std::string& text, std::uint64_t min,
                                                         std::uint64_t max) {
  std::vector<std::uint64_t> out;
  std::istringstream words(text + ",");
  for (std::string word; std::getline(words, word, ',');) {
    std::uint64_t value = 0;
    const char* end = word.data() + word.size();
    const auto read = std::from_chars(word.data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end || value < min || value > max) {
      return fail(
          Error{.code = ExitCode::Usage,
                .attempted = option + " takes numbers with commas between",
                .observed = "\"" + cli::escaped(word) + "\"",
                .remedy = "each is from " + std::to_string(min) + " to " + std::to_string(max)});
    }
    out.push_back(value);
  }
  return out;
}

}  // namespace phalanx::perf
