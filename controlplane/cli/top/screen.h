#pragma once

#include <string>
#include <vector>

namespace phalanx::cli {

/// The whole terminal, by ncurses; given back when destroyed. One at a time.
class Screen {
 public:
  Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen();

  /// Replaces what is shown; lines are cut at the edges. `marked`: the line in reverse video.
  void show(const std::vector<std::string>& lines, std::size_t marked);

  /// Waits so long for a key. 0: none came; a resize counts as none.
  [[nodiscard]] int key(int patience_ms);
};

}  // namespace phalanx::cli
