#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "controlplane/cli/arguments.h"
#include "perf/harness/result.h"

namespace phalanx::perf {

/// How a piece of code in one thread is timed.
struct Repeat {
  std::uint64_t runs = 5;
  double seconds = 0.2;  ///< A run, about.
};

/// Registers --runs and --seconds.
void add_repeat_options(cli::Command& command, Repeat& repeat);

/// What one operation took in each run.
struct Repeated {
  std::vector<double> ns;            ///< Of processor time of the calling thread.
  std::vector<double> instructions;  ///< In user mode; empty where the processor does not count.
};

/// Does `work(n)`, which does about n operations and returns how many they were: a first run, which
/// also finds how many fill the time, is dropped. One thread.
[[nodiscard]] Repeated repeat(const Repeat& how,
                              const std::function<std::uint64_t(std::uint64_t)>& work);

/// The figures "NAME_ns" and "NAME_instructions".
void add_figures(Point& point, const std::string& name, Repeated&& measured);

}  // namespace phalanx::perf
