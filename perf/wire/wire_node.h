#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/transport.h"

namespace phalanx::perf {

/// The beginning of every frame of the benchmark, between hosts of one byte order; the rest of a
/// frame is padding.
struct WireWord {
  enum class Kind : std::uint32_t { Hello = 1, Here, Ping, Pong, Data, End, Count };

  std::uint64_t magic = kMagic;
  Kind kind = Kind::Hello;
  NodeId from = 0;
  std::uint64_t number = 0;    ///< Of a ping and its answer; of a Count: frames received.
  std::uint64_t duration = 0;  ///< Of a Count: ns between its first frame and its last.

  static constexpr std::uint64_t kMagic = 0x3165'7269'7758'4850;  // "PHXwire1"
};

/// One end of the wire under test. One thread.
class WireNode {
 public:
  static constexpr std::size_t kBurst = 32;

  WireNode(transport::Transport& wire, NodeId self, std::size_t nodes)
      : wire_(wire), self_(self), nodes_(nodes) {}

  /// `bytes` from sizeof(WireWord) to frame_bytes_max. Returns how many of `count` frames, all with
  /// the word's number, were handed to the wire: fewer when buffers are out.
  std::size_t send(transport::Destination to, WireWord word, std::size_t bytes,
                   std::size_t count = 1) {
    std::array<transport::TxFrame, kBurst> frames;
    word.from = self_;
    const std::size_t lent = wire_.tx_alloc(std::span(frames).first(std::min(count, kBurst)));
    for (transport::TxFrame& frame : std::span(frames).first(lent)) {
      std::memcpy(frame.bytes.data(), &word, sizeof word);
      frame.length = bytes;
      frame.to = to;
    }
    wire_.tx_burst(std::span(frames).first(lent));
    return lent;
  }

  /// Takes what came and calls hear(word, bytes) for each frame of another node of this benchmark.
  /// Nobody proves who it is here: the wire is a laboratory's.
  template <typename Hear>
  std::size_t receive(Hear hear) {
    if (++turns_ % kLookEvery == 0) (void)wire_.ports();
    std::array<transport::RxFrame, kBurst> frames;
    const std::size_t count = wire_.rx_burst(frames);
    for (const transport::RxFrame& frame : std::span(frames).first(count)) {
      if (frame.bytes.size() < sizeof(WireWord)) continue;
      WireWord word;
      std::memcpy(&word, frame.bytes.data(), sizeof word);
      if (word.magic != WireWord::kMagic || word.from == 0 || word.from > nodes_ ||
          word.from == self_) {
        continue;
      }
      wire_.authenticated(word.from, frame);
      hear(word, frame.bytes.size());
    }
    wire_.rx_release(std::span(frames).first(count));
    return count;
  }

  [[nodiscard]] NodeId self() const { return self_; }
  [[nodiscard]] std::size_t nodes() const { return nodes_; }
  [[nodiscard]] transport::Transport& wire() { return wire_; }

 private:
  static constexpr std::uint64_t kLookEvery = 64;

  transport::Transport& wire_;
  NodeId self_;
  std::size_t nodes_;
  std::uint64_t turns_ = 0;
};

}  // namespace phalanx::perf
