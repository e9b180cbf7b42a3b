#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "controlplane/cli/program.h"
#include "ipc/base/histogram.h"

namespace phalanx::perf {

/// One quantity at one point: a value a run. Empty runs: it cannot be measured here.
struct Figure {
  std::string name;  ///< "messages_per_s": the unit is its end.
  std::string unit;  ///< For people: "msg/s", "us".
  bool more_is_better = true;
  std::vector<double> runs;

  /// Of the runs; there is one at least.
  [[nodiscard]] double median() const;
  [[nodiscard]] double least() const;
  [[nodiscard]] double most() const;
};

/// Latencies of all runs of a point, in nanoseconds.
struct Latencies {
  std::string name;  ///< "own_delivery".
  Histogram ns;
};

/// What was measured with one choice of parameters.
struct Point {
  nlohmann::ordered_json at;  ///< {"size": 64, "rate": 10000}: what differs between points.
  std::vector<Figure> figures;
  std::vector<Latencies> latencies;  ///< Only those with values are told.
};

/// One benchmark with everything that perf/report needs.
struct Result {
  std::string benchmark;
  nlohmann::ordered_json parameters;  ///< The same for all points.
  std::vector<Point> points;
  std::string trouble;  ///< Why it must not be believed; empty: nothing was wrong.
};

/// One object in one line, with the environment; see perf/README.md.
[[nodiscard]] std::string result_json(const Result& result);
[[nodiscard]] std::string result_text(const Result& result);

/// Prints it as was asked for. Failed when there was trouble.
ExitCode print_result(const Result& result, const cli::Globals& globals);

/// "64,1400": the numbers, each within [min, max]; else an Error with the option's name.
[[nodiscard]] Expected<std::vector<std::uint64_t>, Error> read_numbers(const std::string& option,
                                                                       const std::string& text,
                                                                       std::uint64_t min,
                                                                       std::uint64_t max);

}  // namespace phalanx::perf
