#include "perf/aead/aead_bench.h"

#include <algorithm>
#include <array>
#include <memory>

#include "controlplane/cli/arguments.h"
#include "ipc/base/assert.h"
#include "perf/harness/repeat.h"
#include "transport/wire/aead.h"

namespace phalanx::perf {
namespace {

struct Options {
  Repeat repeat;
  std::string sizes = "64,256,1376,4048,8876";
};

/// Frames' payloads one after the other out of 16 MiB, as a lane's log has them, and back.
class Frames {
 public:
  Frames(wire::Cipher cipher, std::size_t payload)
      : key_(cipher, secret()),
        payload_(payload),
        stride_((payload + wire::kTagBytes + 63) / 64 * 64),
        count_(std::max<std::size_t>(1, kLogBytes / stride_)),
        plain_(count_ * stride_, std::byte{0x5a}),
        sealed_(count_ * stride_) {
    (void)seal(count_);
  }

  std::uint64_t seal(std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::size_t slot = i % count_;
      key_.seal(wire::Nonce::of(1, slot), header_, {plain_.data() + slot * stride_, payload_},
                sealed_.data() + slot * stride_);
    }
    return n;
  }
  std::uint64_t open(std::uint64_t n) {
    bool whole = true;
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::size_t slot = i % count_;
      const std::byte* at = sealed_.data() + slot * stride_;
      whole &=
          key_.open(wire::Nonce::of(1, slot), header_, {at, payload_},
                    std::span<const std::byte, wire::kTagBytes>(at + payload_, wire::kTagBytes),
                    plain_.data() + slot * stride_);
    }
    PHX_CHECK(whole);
    return n;
  }

 private:
  static constexpr std::size_t kLogBytes = 16U << 20;

  static wire::Secret secret() {
    wire::Secret out;
    std::ranges::fill(out.mutable_bytes(), std::uint8_t{7});
    return out;
  }

  wire::AeadKey key_;
  std::size_t payload_;
  std::size_t stride_;
  std::size_t count_;
  std::array<std::byte, 32> header_{};
  std::vector<std::byte> plain_;
  std::vector<std::byte> sealed_;
};

ExitCode run(const Options& options, const cli::Globals& globals) {
  const auto sizes = read_numbers("--sizes", options.sizes, 1, 65'536);
  if (!sizes) return cli::report(sizes.error(), globals);
  Result result{.benchmark = "aead",
                .parameters = {{"log_bytes", 16U << 20}, {"header_bytes", 32}},
                .points = {},
                .trouble = {}};
  for (const wire::Cipher cipher :
       {wire::Cipher::IpsecMb, wire::Cipher::OpenSsl, wire::Cipher::Insecure}) {
    if (!wire::available(cipher)) continue;
    for (const std::uint64_t size : *sizes) {
      Frames frames(cipher, size);
      Point point{.at = {{"cipher", wire::to_string(cipher)}, {"size", size}},
                  .figures = {},
                  .latencies = {}};
      add_figures(point, "seal", repeat(options.repeat, [&](auto n) { return frames.seal(n); }));
      add_figures(point, "open", repeat(options.repeat, [&](auto n) { return frames.open(n); }));
      result.points.push_back(std::move(point));
    }
  }
  return print_result(result, globals);
}

}  // namespace

void add_aead(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  cli::Command command =
      root.add("aead", "What sealing and opening a frame cost, by cipher and bytes.");
  command.text("--sizes", o->sizes, "Bytes of a frame's payload, commas between", "BYTES");
  add_repeat_options(command, o->repeat);
  command.run([&globals, o] { return run(*o, globals); });
}

}  // namespace phalanx::perf
