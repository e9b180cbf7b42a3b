#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace phalanx::cli {

/// "quorate, 3 of 3 votes, 2 needed (majority)" of the "quorum" in a status answer; empty when a
/// daemon says nothing of it.
[[nodiscard]] std::string quorum_line(const nlohmann::json& quorum);

/// The line, the flags and a table of votes: what `phalanx quorum` prints.
[[nodiscard]] std::string quorum_text(const nlohmann::json& quorum);

/// False only where the daemon says so.
[[nodiscard]] bool is_quorate(const nlohmann::json& quorum);

}  // namespace phalanx::cli
