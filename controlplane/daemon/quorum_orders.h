#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/config.h"
#include "controlplane/quorum/quorum.h"
#include "ipc/base/expected.h"

namespace phalanx::controlplane {

/// The order in {"command":"quorum", "order":...}: the shape is in README.md. Fails with what is
/// wrong with it.
[[nodiscard]] Expected<wire::Order, std::string> parse_quorum_order(const nlohmann::json& request,
                                                                    const config::Config& config);

/// Why an order is not carried out, with an example where it could split the cluster, and what to
/// do instead.
[[nodiscard]] std::string refusal_text(const quorum::Ruling& ruling, const wire::Order& order,
                                       const quorum::Quorum& quorum, const config::Config& config);

}  // namespace phalanx::controlplane
