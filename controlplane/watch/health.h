#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phalanx::watch {

/// One way in which a node or its cluster is not well: `phalanx status` prints it, and
/// phx_condition has a series for each name. deploy/doc/operating.md says what each one means.
struct Condition {
  std::string_view name;  ///< One of condition_names().
  std::string what;       ///< "n3 is not in the view (its configuration differs)".
  std::string next;       ///< A command, or where to look.
};

/// An eviction counts as long.
inline constexpr double kLatelyMs = 60'000;

/// All that is wrong, worst first, as of a status (controlplane/daemon/README.md). Empty: all is
/// well. What another version of the daemon does not say is taken for well.
[[nodiscard]] std::vector<Condition> conditions(const nlohmann::json& status);

/// The same for a machine: [{"condition":s, "what":s, "next":s}].
[[nodiscard]] nlohmann::json conditions_json(const nlohmann::json& status);

/// Every name that a Condition may have.
[[nodiscard]] std::span<const std::string_view> condition_names() noexcept;

/// A member of a quorate view, with a data plane that turns: may serve.
[[nodiscard]] bool is_ready(const nlohmann::json& status);

}  // namespace phalanx::watch
