#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/verbs/calls.h"

namespace phalanx::transport::verbs {

/// Memory of others that frames are gathered from: registered once at start, each piece by itself,
/// for the adapter to read and nothing else. The owner keeps it mapped as long as this lives. Cold,
/// but for what finds a piece.
class LentMemory {
 public:
  explicit LentMemory(ibv_pd* pd) noexcept : pd_(pd) {}
  LentMemory(const LentMemory&) = delete;
  LentMemory& operator=(const LentMemory&) = delete;
  ~LentMemory();

  /// All of it or, with an error, none.
  [[nodiscard]] Expected<void, Error> take(std::span<const std::span<const std::byte>> memory);

  /// What the adapter knows the piece by that was found last.
  [[nodiscard]] std::uint32_t key() const noexcept { return found_.key; }
  [[nodiscard]] bool is_found(std::span<const std::byte> bytes) const noexcept {
    return found_.holds(bytes);
  }
  /// These bytes lie in one of the pieces: most often in the same as those before.
  void find(std::span<const std::byte> bytes) noexcept;

 private:
  struct Piece {
    const std::byte* begin = nullptr;
    const std::byte* end = nullptr;
    ibv_mr* registration = nullptr;
    std::uint32_t key = 0;

    [[nodiscard]] bool holds(std::span<const std::byte> bytes) const noexcept {
      return bytes.data() >= begin && bytes.data() + bytes.size() <= end;
    }
  };
  void give_back() noexcept;

  ibv_pd* pd_;
  std::vector<Piece> pieces_;  ///< By address.
  Piece found_;                ///< Holds nothing at first.
};

}  // namespace phalanx::transport::verbs
