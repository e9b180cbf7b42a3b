#include "perf/failover/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace phalanx::perf {
namespace {

using nlohmann::ordered_json;

/// Exact quantiles: there are few trials. `q` in [0, 1]; nearest rank.
double at(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

/// One line of figures: a fault's views, its gaps, or the times to mend it.
struct Figures {
  std::string name;
  std::vector<double> ms;
};

std::vector<Figures> figures_of(const FailoverReport::Row& row) {
  Figures view{.name = "view", .ms = {}};
  Figures gap{.name = "gap", .ms = {}};
  Figures mended{.name = row.fault->mended == nullptr ? "" : row.fault->mended, .ms = {}};
  for (const Trial& trial : row.trials) {
    view.ms.push_back(static_cast<double>(trial.view) / 1e6);
    gap.ms.push_back(static_cast<double>(trial.gap) / 1e6);
    if (trial.rejoined) mended.ms.push_back(static_cast<double>(*trial.rejoined) / 1e6);
  }
  std::vector<Figures> out{std::move(view), std::move(gap)};
  if (!mended.ms.empty()) out.push_back(std::move(mended));
  return out;
}

std::map<std::string, std::size_t> rules_of(const FailoverReport::Row& row) {
  std::map<std::string, std::size_t> rules;
  for (const Trial& trial : row.trials) ++rules[trial.rule];
  return rules;
}

std::string line(const char* format, auto... values) {
  std::array<char, 200> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

double rounded(double value) { return std::round(value * 1000) / 1000; }

}  // namespace

std::string failover_text(const FailoverReport& r) {
  std::string out =
      line("%zu nodes over %s, dead_after %llu ms, stall_after %llu ms, %llu messages/s\n", r.nodes,
           r.transport.c_str(), static_cast<unsigned long long>(r.dead_after / kMillisecond),
           static_cast<unsigned long long>(r.stall_after / kMillisecond),
           static_cast<unsigned long long>(r.rate_per_s));
  out += line("%-16s %-8s %5s %9s %9s %9s   ms\n", "fault", "time to", "n", "p50", "p99", "max");
  for (const FailoverReport::Row& row : r.rows) {
    for (const Figures& f : figures_of(row)) {
      out += line("%-16s %-8s %5zu %9.2f %9.2f %9.2f\n", row.fault->name, f.name.c_str(),
                  f.ms.size(), at(f.ms, 0.5), at(f.ms, 0.99), at(f.ms, 1));
    }
    out += line("%-16s %-8s", row.fault->name, "rule");
    for (const auto& [rule, count] : rules_of(row)) out += line(" %zux %s", count, rule.c_str());
    out += "\n";
  }
  out += r.agree ? "order: the clients of the nodes that stayed delivered the same\nok\n"
                 : "order: DIFFERS: " + r.differs + "\nFAILED\n";
  return out;
}

std::string failover_json(const FailoverReport& r) {
  ordered_json rows = ordered_json::array();
  for (const FailoverReport::Row& row : r.rows) {
    ordered_json out = {{"fault", row.fault->name}, {"n", row.trials.size()}};
    for (const Figures& f : figures_of(row)) {
      out[f.name + "_ms"] = {{"p50", rounded(at(f.ms, 0.5))},
                             {"p99", rounded(at(f.ms, 0.99))},
                             {"max", rounded(at(f.ms, 1))}};
    }
    out["rules"] = rules_of(row);
    rows.push_back(std::move(out));
  }
  const ordered_json all = {{"version", 1},
                            {"transport", r.transport},
                            {"nodes", r.nodes},
                            {"dead_after_ms", r.dead_after / kMillisecond},
                            {"stall_after_ms", r.stall_after / kMillisecond},
                            {"rate_per_s", r.rate_per_s},
                            {"faults", std::move(rows)},
                            {"ok", r.agree}};
  return all.dump() + "\n";
}

}  // namespace phalanx::perf
