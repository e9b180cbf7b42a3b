#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "ipc/base/ids.h"

namespace phalanx::core {

/// Payload of a local View record: what a node installed.
struct ViewRecord {
  struct Entry {
    Member member;
    bool transitional = false;  ///< Comes with this node from its old view.
  };
  ViewId view;
  bool quorate = false;
  std::vector<Entry> members;  ///< Sorted by node; contains this node.
};

/// u64 sequence, u32 representative, 16 B boot id, u32 count, u8 quorate, then for each member u32
/// node, 16 B boot id, u8 transitional.
[[nodiscard]] std::size_t view_record_bytes(std::size_t members) noexcept;
void encode_view_record(const ViewRecord& record, std::span<std::byte> out) noexcept;
[[nodiscard]] std::optional<ViewRecord> decode_view_record(std::span<const std::byte> in);

}  // namespace phalanx::core
