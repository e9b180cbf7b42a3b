#pragma once

#include <string>

#include "controlplane/http/node_source.h"

namespace phalanx::http {

/// Group series in one answer; the rest is only counted.
inline constexpr std::size_t kGroupSeriesMax = 64;

/// The Prometheus text format, version 0.0.4: every family with HELP and TYPE. As many series as
/// there are nodes, lanes, listed groups and reasons, never as many as clients have come and gone.
[[nodiscard]] std::string metrics_text(const NodeNow& node);

}  // namespace phalanx::http
