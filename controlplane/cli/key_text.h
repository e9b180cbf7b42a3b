#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace phalanx::cli {

/// For people: what the control plane answers to {"command":"key"}.
[[nodiscard]] std::string key_status_text(const nlohmann::json& answer);
/// One line: which step a rotation is at, and how many nodes are how far.
[[nodiscard]] std::string key_progress_text(const nlohmann::json& answer);
/// All nodes answer, and all have one key, the same.
[[nodiscard]] bool is_settled(const nlohmann::json& answer);

}  // namespace phalanx::cli
