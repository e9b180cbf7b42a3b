#pragma once

#include <span>

#include "ipc/shm/statistics_layout.h"

namespace phalanx::http {

/// How a counter of the worker is told to Prometheus.
struct CounterMetric {
  shm::Counter counter;
  const char* name;
  const char* reason;  ///< Label of a family that several counters share; nullptr: none.
  double scale;        ///< To base units.
  const char* help;    ///< And what to do when it grows.
};

/// One for every counter; those of a family stand together.
[[nodiscard]] std::span<const CounterMetric> counter_metrics() noexcept;

}  // namespace phalanx::http
