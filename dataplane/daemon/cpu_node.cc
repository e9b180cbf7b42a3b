#include "dataplane/daemon/cpu_node.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace phalanx::dataplane {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kNodesMax = 1024;  // Of any Linux.

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (bad != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "0-1,4": what the kernel prints of a set.
std::vector<std::uint32_t> numbers(std::string_view list) {
  std::vector<std::uint32_t> out;
  while (!list.empty()) {
    const std::string_view range = list.substr(0, list.find(','));
    list.remove_prefix(std::min(range.size() + 1, list.size()));
    const std::size_t dash = std::min(range.find('-'), range.size());
    const auto first = number(range.substr(0, dash));
    const auto last = dash < range.size() ? number(range.substr(dash + 1)) : first;
    if (!first || !last || *last >= kNodesMax) return {};
    for (std::uint32_t i = *first; i <= *last; ++i) out.push_back(i);
  }
  return out;
}

}  // namespace

std::optional<std::uint32_t> memory_node_of(std::uint32_t cpu, const fs::path& system) {
  std::string list;
  std::ifstream(system / "node" / "has_memory") >> list;
  const std::vector<std::uint32_t> with_memory = numbers(list);
  if (with_memory.size() < 2) return std::nullopt;
  std::error_code gone;
  fs::directory_iterator entry(system / "cpu" / ("cpu" + std::to_string(cpu)), gone);
  for (; !gone && entry != fs::directory_iterator(); entry.increment(gone)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with("node")) continue;
    const auto node = number(std::string_view(name).substr(4));
    if (node && std::ranges::find(with_memory, *node) != with_memory.end()) return node;
  }
  return std::nullopt;
}

}  // namespace phalanx::dataplane
