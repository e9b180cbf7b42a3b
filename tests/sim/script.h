#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/scenario.h"

namespace phalanx::sim {

/// The parts of a history's fault script by name: "0", "1" ... its steps, then what the wire and
/// the clocks do to everything ("drop", "corrupt" ...). Only what the history has.
[[nodiscard]] std::vector<std::string> script_parts(const Scenario& scenario);

/// The same history with these parts alone. Empty when it has no part of such a name.
[[nodiscard]] std::optional<Scenario> with_parts(const Scenario& scenario,
                                                 std::span<const std::string> parts);

/// One line a part.
[[nodiscard]] std::string describe_script(const Scenario& scenario,
                                          std::span<const std::string> parts);

/// "0,3,drop".
[[nodiscard]] std::string join_parts(std::span<const std::string> parts);
[[nodiscard]] std::vector<std::string> split_parts(std::string_view text);

[[nodiscard]] const char* name_of(Step::Kind kind) noexcept;

}  // namespace phalanx::sim
