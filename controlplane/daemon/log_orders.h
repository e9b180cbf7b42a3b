#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::controlplane {

/// Carries out {"command":"log", ...}, whose shapes are in README.md, and gives the answer.
[[nodiscard]] Expected<nlohmann::json, Error> carry_out_log_order(const nlohmann::json& request);

}  // namespace phalanx::controlplane
