#include "controlplane/daemon/line_limit.h"

#include <algorithm>
#include <array>

namespace phalanx::controlplane {
namespace {

constexpr std::size_t kReasonBytesMax = 160;
/// Keys whose values say why. None holds what a peer may choose at will.
constexpr std::array<std::string_view, 4> kWhy{"reason", "command", "left", "joined"};

/// Up to the blank behind it; quotes and brackets hold blanks.
std::string_view value_at(std::string_view rest) {
  const char open = rest.empty() ? ' ' : rest.front();
  const char close = open == '"' ? '"' : open == '[' ? ']' : ' ';
  const std::size_t from = close == ' ' ? 0 : 1;
  const std::size_t end = std::min(rest.find(close, from), rest.size());
  return rest.substr(0, std::min(end + (close == ' ' ? 0 : 1), rest.size()));
}

}  // namespace

std::string LineLimit::reason_of(std::string_view line) {
  line = line.substr(0, 1024);
  const std::size_t equals = std::min(line.find('='), line.size());
  const std::size_t blank = equals == line.size() ? line.size() : line.rfind(' ', equals);
  std::string reason(line.substr(0, blank == std::string_view::npos ? 0 : blank));
  for (std::size_t at = equals; at < line.size();) {
    const std::size_t begin = line.rfind(' ', at) + 1;  // npos + 1: the line begins with it.
    const std::string_view value = value_at(line.substr(at + 1));
    if (std::ranges::find(kWhy, line.substr(begin, at - begin)) != kWhy.end()) {
      reason += " " + std::string(value);
    }
    at = std::min(line.find('=', at + 1 + value.size()), line.size());
  }
  reason.resize(std::min(reason.size(), kReasonBytesMax));
  return reason;
}

bool LineLimit::pass(std::string_view subsystem, std::string_view line, TimeNs now,
                     std::uint64_t& muted) {
  const std::string key = std::string(subsystem) + ": " + reason_of(line);
  auto found = entries_.find(key);
  if (found == entries_.end() && entries_.size() >= kReasonsMax) {
    // Those that have nothing left to tell are as good as new.
    std::erase_if(entries_, [now](const auto& entry) {
      return entry.second.next <= now && entry.second.muted == 0;
    });
  }
  const bool room = found != entries_.end() || entries_.size() < kReasonsMax;
  Entry& entry = room ? entries_[key] : others_;
  if (now < entry.next) {
    ++entry.muted;
    ++muted_;
    return false;
  }
  muted = entry.muted;
  entry = {.next = now + kInterval, .muted = 0};
  return true;
}

}  // namespace phalanx::controlplane
