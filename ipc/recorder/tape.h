#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace phalanx::recorder {

/// What went into a machine, kept in memory that outlives its process, to be given to the same code
/// again. A tape has two segments in turn. Each begins with an image of the whole machine, from
/// which the steps after it can be replayed; the older one is written over when the newer is full.
struct TapeLayout {
  std::uint64_t magic = 0;  ///< Whose it is, and which version.
  std::size_t segment_bytes = 0;

  static constexpr std::size_t kHeaderBytes = 64;
  [[nodiscard]] constexpr std::size_t bytes() const noexcept {
    return kHeaderBytes + 2 * segment_bytes;
  }
};

/// One thread. Never allocates.
class TapeWriter {
 public:
  using Parts = std::initializer_list<std::span<const std::byte>>;

  /// layout.bytes() of memory, zeros, borrowed.
  TapeWriter(std::span<std::byte> memory, const TapeLayout& layout);

  /// One record of all parts together. False: it finds no room in this segment.
  [[nodiscard]] bool image(Parts parts) noexcept { return append(kImage, {}, parts); }
  [[nodiscard]] bool step(Parts parts) noexcept { return append(kStep, {}, parts); }
  [[nodiscard]] bool step(std::span<const std::byte> head, Parts parts) noexcept {
    return append(kStep, head, parts);
  }
  /// The next record, an image, begins the other segment.
  void turn_over() noexcept;

  [[nodiscard]] std::size_t room() const noexcept { return layout_.segment_bytes - at_; }
  [[nodiscard]] bool empty() const noexcept { return number_ == 0; }

 private:
  friend std::vector<struct TapeRecord> read_tape(std::span<const std::byte>, const TapeLayout&);
  static constexpr std::uint32_t kImage = 1;
  static constexpr std::uint32_t kStep = 2;

  [[nodiscard]] bool append(std::uint32_t kind, std::span<const std::byte> head,
                            Parts parts) noexcept;
  [[nodiscard]] std::span<std::byte> segment() const noexcept;

  std::span<std::byte> memory_;
  TapeLayout layout_;
  std::size_t current_ = 0;
  std::size_t at_ = 0;  ///< In the current segment.
  std::uint64_t number_ = 0;
};

/// One record of a tape that checked.
struct TapeRecord {
  bool image = false;  ///< Else a step.
  std::uint64_t number = 0;
  std::span<const std::byte> payload;
};

/// Whether the bytes begin as such a tape does.
[[nodiscard]] bool is_tape(std::span<const std::byte> file, const TapeLayout& layout) noexcept;
/// What is sound of a tape, oldest first; whatever the bytes are. Empty: it is none.
[[nodiscard]] std::vector<TapeRecord> read_tape(std::span<const std::byte> file,
                                                const TapeLayout& layout);

}  // namespace phalanx::recorder
