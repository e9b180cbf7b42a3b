#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/recorder/reader.h"

namespace phalanx::cli {

/// One event and what its file says of its writer.
struct Noted {
  recorder::Event event;
  std::uint64_t wall_ns = 0;  ///< Since 1970; 0: its time is not known.
  NodeId by = 0;              ///< Whose recorder; 0: not known.
  std::string writer;         ///< "worker".
  std::vector<NodeId> nodes;  ///< What its sets of nodes count by.
};

/// What to show; what is not set lets all through.
struct NotedFilter {
  std::uint64_t since_ns = 0;
  std::uint64_t until_ns = 0;  ///< 0: for ever.
  std::string subsystem;
  NodeId node = 0;  ///< Events about it, and those that its own recorder holds.
  std::optional<LaneId> lane;
  std::uint64_t view = 0;
  std::optional<std::pair<Position, Position>> range;  ///< Events about a part of the log in it.

  [[nodiscard]] bool passes(const Noted& noted) const;
};

/// "2026-01-31T10:00:00.123456Z n1 worker       lane       progress lane=0 from=0 to=1400".
[[nodiscard]] std::string line_of(const Noted& noted);
[[nodiscard]] nlohmann::json json_of(const Noted& noted);
/// "10:00:00.123456" with the date before it; "-" for 0.
[[nodiscard]] std::string time_text(std::uint64_t wall_ns);
/// "n1 n3".
[[nodiscard]] std::string set_text(const Noted& noted, std::uint64_t set);

/// "90s", "5m", "2h" (ago), "10:00:00" (today), "2026-01-31T10:00:00" (UTC, with a fraction if
/// wanted). Empty: it is none of them.
[[nodiscard]] std::optional<std::uint64_t> parse_time(std::string_view text, std::uint64_t now_ns);

/// All events of a file, oldest first.
[[nodiscard]] std::vector<Noted> noted_of(const recorder::Ring& ring);
/// By time; those of one file keep their order.
void sort_by_time(std::vector<Noted>& all);

}  // namespace phalanx::cli
