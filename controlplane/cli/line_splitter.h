#pragma once

#include <phalanx/phalanx.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace phalanx::cli {

/// Cuts a stream of bytes into lines without their ends. A line over the limit is skipped, never
/// held: memory stays at one line.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  /// Hands each line that is complete to `send`; stops at the first status other than PHX_OK.
  template <class Send>
  phx_status add(std::string_view bytes, Send&& send) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      take(bytes.substr(0, end));
      if (end == std::string_view::npos) return PHX_OK;
      bytes.remove_prefix(end + 1);
      if (const phx_status status = end_line(send); status != PHX_OK) return status;
    }
    return PHX_OK;
  }

  /// The end of the stream: what is left is a line, too.
  template <class Send>
  phx_status finish(Send&& send) {
    return line_.empty() && !too_long_ ? PHX_OK : end_line(send);
  }

  [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }
  /// Numbers, from 1, of the first lines that were skipped.
  [[nodiscard]] const std::vector<std::uint64_t>& skipped_lines() const noexcept {
    return skipped_lines_;
  }

 private:
  void take(std::string_view part) {
    if (too_long_ || line_.size() + part.size() > line_bytes_max_) {
      too_long_ = true;
      line_.clear();
    } else {
      line_ += part;
    }
  }

  template <class Send>
  phx_status end_line(Send&& send) {
    ++number_;
    phx_status status = PHX_OK;
    if (too_long_) {
      constexpr std::size_t kRemembered = 10;
      if (skipped_lines_.size() < kRemembered) skipped_lines_.push_back(number_);
      ++skipped_;
    } else {
      status = send(std::string_view(line_));
    }
    line_.clear();
    too_long_ = false;
    return status;
  }

  std::size_t line_bytes_max_;
  std::string line_;
  bool too_long_ = false;
  std::uint64_t number_ = 0;
  std::uint64_t skipped_ = 0;
  std::vector<std::uint64_t> skipped_lines_;
};

}  // namespace phalanx::cli
