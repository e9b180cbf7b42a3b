#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::recorder {

/// So many files of earlier processes are kept beside the one in use: NAME.1 is the newest.
inline constexpr int kKept = 3;

/// A new file of fixed size, mapped: what is written to it outlives the process. Move-only.
class MappedFile {
 public:
  enum class Pages : std::uint8_t {
    Now,         ///< No later write faults.
    WhenTouched  ///< What is never written costs nothing when the process is taken apart.
  };
  /// DIRECTORY/NAME, zeros; the directory is made when it is missing. What earlier processes left
  /// under that name is renamed; the oldest goes.
  [[nodiscard]] static Expected<MappedFile, Error> create(const std::string& directory,
                                                          const std::string& name,
                                                          std::size_t bytes,
                                                          Pages pages = Pages::Now);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  explicit MappedFile(std::span<std::byte> bytes) noexcept : bytes_(bytes) {}
  std::span<std::byte> bytes_;
};

}  // namespace phalanx::recorder
