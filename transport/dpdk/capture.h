#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "ipc/base/fd.h"

namespace phalanx::transport::dpdk {

/// While it lives, what this process prints goes to memory: DPDK explains its failures on standard
/// output and standard error only. Cold, and while nothing else prints.
class Capture {
 public:
  Capture();
  Capture(const Capture&) = delete;
  ~Capture();

  /// The last lines printed so far, joined by "; ": those that begin with one of `speakers`, or,
  /// when there are none, whatever was said last.
  [[nodiscard]] std::string last_lines(std::initializer_list<std::string_view> speakers = {}) const;

 private:
  Fd memory_;
  Fd out_;
  Fd err_;
};

}  // namespace phalanx::transport::dpdk
