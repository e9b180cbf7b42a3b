#include "controlplane/daemon/log_memory.h"

#include <algorithm>

namespace phalanx::controlplane {

void LogMemory::add(std::string_view subsystem, config::LogLevel level, std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  line = line.substr(0, kLineBytesMax);
  lines_.push_back(
      {.subsystem = std::string(subsystem), .level = level, .text = std::string(line)});
  bytes_ += line.size();
  while (lines_.size() > kLinesMax || bytes_ > kBytesMax) {
    bytes_ -= lines_.front().text.size();
    lines_.pop_front();
  }
}

std::vector<std::string> LogMemory::newest(const Filter& filter) const {
  std::vector<std::string> found;
  std::size_t bytes = 0;
  for (auto line = lines_.rbegin(); line != lines_.rend() && found.size() < filter.lines; ++line) {
    if (line->level > filter.level) continue;
    if (!filter.subsystem.empty() && line->subsystem != filter.subsystem) continue;
    bytes += line->text.size();
    if (bytes > filter.bytes) break;
    found.push_back(line->text);
  }
  std::ranges::reverse(found);
  return found;
}

}  // namespace phalanx::controlplane
