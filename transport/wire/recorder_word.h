#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ipc/base/ids.h"

namespace phalanx::wire {

struct ClusterKey;
struct KeyRing;

/// The first byte of these datagrams: they share the management address with others.
inline constexpr std::byte kRecorderMagic{0xA9};
/// Of what is told in one datagram, so that it fits into any frame.
inline constexpr std::size_t kRecorderTextBytes = 1200;
/// Nonces of these datagrams; nothing else uses this space.
inline constexpr std::uint32_t kRecorderNonceSpace = 0xFFFFFFFE;

/// Between control planes: one asks for a page of another's flight recorder, the other tells it.
struct RecorderWord {
  bool tells = false;
  Member sealer;  ///< The node, and its control plane's own boot id.
  std::uint64_t counter = 0;
  std::uint64_t token = 0;  ///< Drawn by who asks: an answer to something else has another one.
  std::uint16_t page = 0;
  std::uint16_t pages = 0;      ///< How many there are; of an answer.
  std::vector<std::byte> text;  ///< Of an answer: kRecorderTextBytes at most.

  friend bool operator==(const RecorderWord&, const RecorderWord&) = default;
};

/// Seals and opens them under the sealer's boot key. Cold: it allocates and derives a key each
/// time. Single-threaded.
class RecorderSeal {
 public:
  RecorderSeal(const ClusterKey& key, bool insecure);
  RecorderSeal(RecorderSeal&&) noexcept;
  RecorderSeal& operator=(RecorderSeal&&) noexcept;
  ~RecorderSeal();

  /// Holds these cluster keys from now on: opens what either sealed, and seals with the next one
  /// when `with_next`.
  void hold(std::shared_ptr<const KeyRing> ring, bool with_next);

  /// The caller never uses a (sealer, counter) pair twice.
  [[nodiscard]] std::vector<std::byte> seal(const RecorderWord& word) const;
  /// Empty unless every byte is right. Says nothing about replays.
  [[nodiscard]] std::optional<RecorderWord> open(std::span<const std::byte> datagram) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phalanx::wire
