#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/watch/watcher.h"
#include "ipc/base/ids.h"

namespace phalanx::cli {

enum class View : std::uint8_t { Workers, Lanes, Groups, Clients, Peers };
inline constexpr std::array kViews = {View::Workers, View::Lanes, View::Groups, View::Clients,
                                      View::Peers};
[[nodiscard]] std::string_view to_string(View view) noexcept;

/// One cell: as it is shown, and what it is sorted by. A name has no number.
struct Cell {
  std::string text;
  double number = 0;
  bool is_text = false;
};

/// A view's rows; phalanx-top(1) explains every heading.
struct TopTable {
  std::vector<std::string_view> headings;
  std::vector<std::vector<Cell>> rows;
};

/// Two moments of one data plane, and what does not change between them. Borrows.
struct TopSource {
  const watch::Sample& before;
  const watch::Sample& now;
  TimeNs started_at = 0;
  std::uint32_t pid = 0;
  const std::map<NodeId, std::string>& names;
};

[[nodiscard]] TopTable table_of(View view, const TopSource& source);

/// Rows by that column, the largest number or the first name on top; `reverse` the other way.
void sort_by(TopTable& table, std::size_t column, bool reverse);

/// "n1 (1), view 17 of 3 nodes, quorate; 2 clients, 1 groups; data plane 1234 up 3 min".
[[nodiscard]] std::string head_line(const TopSource& source, NodeId self);

/// Numbers and names as they were measured, by heading.
[[nodiscard]] nlohmann::json json_of(const TopTable& table);

/// The table in columns, a line each, the headings first.
[[nodiscard]] std::vector<std::string> lines_of(const TopTable& table);

}  // namespace phalanx::cli
