#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// Hugepages of 2 MiB that a demo may use. Where too few are free it asks the kernel for more, and
/// gives as many back when it is destroyed, whoever else has raised the number meanwhile.
class HugePages {
 public:
  [[nodiscard]] static Expected<HugePages, Error> get(std::uint64_t wanted);
  HugePages(HugePages&& other) noexcept;
  HugePages& operator=(HugePages&&) = delete;
  ~HugePages();

  /// "72 of 2 MiB are free", "raised from 0 to 72, until the end".
  [[nodiscard]] const std::string& told() const noexcept { return told_; }

 private:
  HugePages() = default;

  std::string told_;
  std::uint64_t before_ = 0;
  std::uint64_t raised_to_ = 0;  ///< 0: nothing was changed.
};

}  // namespace phalanx::cli
