#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"

namespace phalanx::controlplane {

/// The sequence reserve: no view or attempt of this node ever had a sequence above it. Written
/// ahead of use, in blocks, so that a restart begins above whatever was used before. A copy of an
/// older file does no harm: view ids also carry the representative's boot id.
/// One process writes it (the instance lock sees to that); single-threaded.
class StateFile {
 public:
  static constexpr std::uint64_t kBlock = std::uint64_t{1} << 20;

  /// Reads the file, or starts at 0 when there is none, and at once reserves two blocks ahead: so
  /// the view changes to come need not wait for the disk, and a disk that is full is noticed now.
  /// `directory` must exist.
  [[nodiscard]] static Expected<StateFile, Error> open(const std::string& directory, NodeId node);

  /// Everything up to here may have been used by an earlier process.
  [[nodiscard]] std::uint64_t used() const noexcept { return used_; }
  /// Everything up to here may be used by this one.
  [[nodiscard]] std::uint64_t reserved() const noexcept { return reserved_; }

  /// Makes durable that sequences up to `sequence`, and some more, may be used. Costs an fsync
  /// only when `sequence` is beyond what is reserved.
  [[nodiscard]] Expected<void, Error> reserve(std::uint64_t sequence);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  StateFile(std::string directory, std::string path, NodeId node)
      : directory_(std::move(directory)), path_(std::move(path)), node_(node) {}

  [[nodiscard]] Expected<void, Error> write(std::uint64_t reserved);

  std::string directory_;
  std::string path_;
  NodeId node_;
  std::uint64_t used_ = 0;
  std::uint64_t reserved_ = 0;
};

}  // namespace phalanx::controlplane
