#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace phalanx::cli {

/// Nothing of watch::conditions() is there.
[[nodiscard]] bool is_well(const nlohmann::json& status);

/// For people: the first line says whether all is well, the rest what of.
[[nodiscard]] std::string status_text(const nlohmann::json& status);

[[nodiscard]] std::string groups_text(const nlohmann::json& groups);

}  // namespace phalanx::cli
