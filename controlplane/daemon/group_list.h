#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>

namespace phalanx::controlplane {

/// The worker's answer to ListGroups (layout: GroupTable::list()) as
/// [{"id":"16 hex digits","name":s,"members":[{"node":n,"client":n,"pid":n}]}], empty when a byte
/// is not right. Names are any bytes; what is not UTF-8 in them is replaced.
[[nodiscard]] std::optional<nlohmann::json> groups_json(std::span<const std::byte> list);

}  // namespace phalanx::controlplane
