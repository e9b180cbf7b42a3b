#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace phalanx::cli {

/// The lines of `phalanx sub`, gathered and written in bulk. The same delivery gives the same bytes
/// everywhere: that is what a user compares.
class SubLines {
 public:
  enum class Format : std::uint8_t { Text, Json };
  explicit SubLines(Format format) : format_(format) {}

  void view(std::uint64_t sequence, std::span<const std::uint32_t> nodes);
  void message(std::uint32_t node, std::uint32_t client, std::string_view bytes);
  /// `what` is "join" or "leave".
  void member(std::string_view what, std::uint32_t node, std::uint32_t client);

  /// Writes all gathered lines; false when `fd` takes no more.
  [[nodiscard]] bool flush(int fd);
  [[nodiscard]] const std::string& pending() const noexcept { return pending_; }

 private:
  Format format_;
  std::string pending_;
};

}  // namespace phalanx::cli
