#pragma once

#include <string>
#include <string_view>

#include "config/config.h"

namespace phalanx::config {

/// What one key means: kind, range, default, whether it must be equal on all nodes, whether a
/// reload takes it. A table's name ("lane") explains all its keys; "" explains everything. Empty
/// when there is no such key.
[[nodiscard]] std::string explain(std::string_view name);

/// A commented file with every key at its default, ready to be edited; parse() takes it.
[[nodiscard]] std::string sample_file();

/// The effective configuration as a file: what was set and every default.
[[nodiscard]] std::string show(const Config& config);

}  // namespace phalanx::config
