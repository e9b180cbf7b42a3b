// What a frame's bytes cost on their way from a log into a transport's buffer: sealed straight into
// it, sealed elsewhere and copied, copied without a cipher with its checksum, the copy alone, and
// the checksum alone, which is what is left where the adapter gathers the frame. Log and buffers
// are as large as a node's.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "transport/wire/aead.h"

namespace phalanx::wire {
namespace {

constexpr std::size_t kLogBytes = 16U << 20;
constexpr std::size_t kFrames = 4096;
constexpr std::size_t kHeaderBytes = 32;

/// Payloads in a row out of a log, each into the next buffer.
class Path {
 public:
  explicit Path(std::size_t payload)
      : payload_(payload),
        stride_((kHeaderBytes + payload + kTagBytes + 63) / 64 * 64),
        log_(kLogBytes, std::byte{0x5a}),
        buffers_(kFrames * stride_) {}

  [[nodiscard]] std::span<const std::byte> next_payload() {
    if (at_ + payload_ > log_.size()) at_ = 0;
    const std::span<const std::byte> out(log_.data() + at_, payload_);
    at_ += payload_;
    return out;
  }
  [[nodiscard]] std::byte* next_buffer() {
    return buffers_.data() + (count_++ % kFrames) * stride_ + kHeaderBytes;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::size_t payload_;
  std::size_t stride_;
  std::vector<std::byte> log_;
  std::vector<std::byte> buffers_;
  std::size_t at_ = 0;
  std::uint64_t count_ = 0;
};

std::size_t payload_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

Secret some_secret() {
  Secret out;
  std::ranges::fill(out.mutable_bytes(), std::uint8_t{7});
  return out;
}

void seals(benchmark::State& state, Cipher cipher, bool elsewhere) {
  const AeadKey key(cipher, some_secret());
  Path path(payload_of(state));
  std::vector<std::byte> scratch(payload_of(state) + kTagBytes);
  const std::array<std::byte, kHeaderBytes> header{};
  for (auto _ : state) {
    const auto payload = path.next_payload();
    std::byte* out = path.next_buffer();
    key.seal(Nonce::of(1, path.count()), header, payload, elsewhere ? scratch.data() : out);
    if (elsewhere) std::memcpy(out, scratch.data(), scratch.size());
    benchmark::ClobberMemory();
  }
}

void copies(benchmark::State& state) {
  Path path(payload_of(state));
  for (auto _ : state) {
    const auto payload = path.next_payload();
    std::memcpy(path.next_buffer(), payload.data(), payload.size());
    benchmark::ClobberMemory();
  }
}

void left_where_it_lies(benchmark::State& state) {
  const AeadKey key(Cipher::Insecure, some_secret());
  Path path(payload_of(state));
  const std::array<std::byte, kHeaderBytes> header{};
  for (auto _ : state) {
    const auto payload = path.next_payload();
    std::byte* out = path.next_buffer();
    key.tag(Nonce::of(1, path.count()), header, payload,
            std::span<std::byte, kTagBytes>(out, kTagBytes));
    benchmark::ClobberMemory();
  }
}

void sealed_straight(benchmark::State& state) { seals(state, fastest_cipher(), false); }
void sealed_and_copied(benchmark::State& state) { seals(state, fastest_cipher(), true); }
void without_cipher(benchmark::State& state) { seals(state, Cipher::Insecure, false); }

#define PHX_SIZES Arg(128)->Arg(976)->Arg(4048)
BENCHMARK(sealed_straight)->PHX_SIZES;
BENCHMARK(sealed_and_copied)->PHX_SIZES;
BENCHMARK(without_cipher)->PHX_SIZES;
BENCHMARK(copies)->PHX_SIZES;
BENCHMARK(left_where_it_lies)->PHX_SIZES;

}  // namespace
}  // namespace phalanx::wire

BENCHMARK_MAIN();
