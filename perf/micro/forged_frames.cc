// Frames that nobody with the key has sealed, before a real worker: changed, spliced, cut,
// repeated, made up. None may be accepted, each must be counted under a reason, and what one costs
// bounds what a flood of them can take from the traffic of the group.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "perf/micro/bench_cluster.h"
#include "perf/micro/memory_wire.h"

namespace phalanx::bench {
namespace {

using Bytes = std::vector<std::byte>;
using shm::Counter;

constexpr std::size_t kVictim = 1;
constexpr std::array kRefusals = {
    Counter::RxMalformed,     Counter::RxOtherVersion, Counter::RxOwnNode,
    Counter::RxUnknownSender, Counter::RxUnknownKey,   Counter::RxOtherReceiver,
    Counter::RxReplayed,      Counter::RxBadTag,       Counter::RxOutOfRange,
    Counter::RxDuplicate,     Counter::RxWrongState,   Counter::RxNotMember};

enum class Kind : std::uint8_t { Fresh, Body, Header, Spliced, Cut, Replayed, MadeUp };
constexpr std::array kKinds = {Kind::Fresh, Kind::Body,     Kind::Header, Kind::Spliced,
                               Kind::Cut,   Kind::Replayed, Kind::MadeUp};

const char* name_of(Kind kind) {
  constexpr std::array kNames = {
      "new to the cipher", "body changed", "header changed", "spliced", "cut",
      "replayed",          "made up"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// Draws forged frames from real ones.
class Forger {
 public:
  /// `end` of the victim's log: where the next frame would be taken.
  Forger(const std::vector<Bytes>& real, Position end) : real_(real), end_(end) {}

  const Bytes& next(Kind kind) {
    frame_ = real_[draw(real_.size())];
    switch (kind) {
      case Kind::Fresh:
        renumber();
        change(wire::kHeaderBytes, frame_.size());
        break;
      case Kind::Body:
        change(wire::kHeaderBytes, frame_.size());
        break;
      case Kind::Header:
        change(0, wire::kHeaderBytes);
        break;
      case Kind::Spliced:
        splice();
        break;
      case Kind::Cut:
        frame_.resize(draw(frame_.size()));
        break;
      case Kind::Replayed:
        break;
      case Kind::MadeUp:
        for (std::byte& byte : frame_) byte = static_cast<std::byte>(random_());
        break;
    }
    return frame_;
  }
  std::size_t draw(std::size_t below) { return random_() % below; }

 private:
  void change(std::size_t from, std::size_t to) {
    for (std::size_t changes = 1 + draw(3); changes > 0; --changes) {
      frame_[from + draw(to - from)] ^= static_cast<std::byte>(1 + draw(255));
    }
    // Two changes of one byte may have undone one another.
    frame_[from] ^= std::byte{frame_ == real_[0] ? std::uint8_t{1} : std::uint8_t{0}};
  }
  /// A counter that was not seen, a place that is free: only the cipher can tell.
  void renumber() {
    auto header = wire::decode(frame_);
    PHX_CHECK(header.has_value());
    header->type = wire::FrameType::Ordered;
    header->counter = (std::uint64_t{1} << 32) + counter_++;
    header->position = end_;
    wire::encode(*header, std::span(frame_).first<wire::kHeaderBytes>());
  }
  /// One frame's header before another's sealed bytes.
  void splice() {
    const Bytes& other = real_[draw(real_.size())];
    const std::size_t header = std::min<std::size_t>(wire::kHeaderBytes, other.size());
    std::copy_n(other.begin(), header, frame_.begin());
  }

  const std::vector<Bytes>& real_;
  Position end_;
  std::uint64_t counter_ = 0;
  std::minstd_rand random_{1};
  Bytes frame_;
};

struct Bench {
  explicit Bench(MemoryWire& orderer, MemoryWire& victim,
                 std::vector<std::unique_ptr<transport::Transport>> wires)
      : orderer_wire(orderer), wire(victim), cluster(std::move(wires), Keeps::Nothing) {
    orderer_wire.keep_sent(2000);
    for (int i = 0; i < 100; ++i) cluster.flood(0, 64);
    for (int i = 0; i < 2000; ++i) cluster.turn(0, 0);
    PHX_CHECK(orderer_wire.kept().size() > 100);
  }
  [[nodiscard]] std::uint64_t refused() const {
    std::uint64_t sum = 0;
    for (const Counter counter : kRefusals) sum += cluster.counter(kVictim, counter);
    return sum;
  }
  MemoryWire& orderer_wire;
  MemoryWire& wire;
  Cluster cluster;
};

Bench make_bench() {
  auto wires = MemoryWire::make(3, 1472);
  auto& orderer = static_cast<MemoryWire&>(*wires[0]);
  auto& victim = static_cast<MemoryWire&>(*wires[kVictim]);
  return Bench(orderer, victim, std::move(wires));
}

/// Throws `count` of them before a cluster at rest: whether it took none and counted each.
bool all_refused(Bench& bench, std::uint64_t count) {
  Forger forger(bench.orderer_wire.kept(), bench.cluster.lane(kVictim).received);
  const core::LaneStatus before = bench.cluster.lane(kVictim);
  const std::uint64_t delivered = bench.cluster.delivered(kVictim);
  const std::uint64_t refused = bench.refused();
  for (std::uint64_t sent = 0; sent < count;) {
    for (int i = 0; i < 256 && sent < count; ++i, ++sent) {
      PHX_CHECK(bench.wire.inject(forger.next(kKinds[forger.draw(kKinds.size())])));
    }
    bench.cluster.turn(0, 0);
  }
  for (int i = 0; i < 100; ++i) bench.cluster.turn(0, 0);
  const core::LaneStatus after = bench.cluster.lane(kVictim);
  const bool same = after.received == before.received && after.records == before.records &&
                    after.order_hash == before.order_hash && after.stable == before.stable &&
                    after.orderer == before.orderer && !after.poisoned &&
                    bench.cluster.delivered(kVictim) == delivered;
  const std::uint64_t counted = bench.refused() - refused;
  for (const Counter counter : kRefusals) {
    std::printf("  %-18s %12llu\n", std::string(shm::counter_name(counter)).c_str(),
                static_cast<unsigned long long>(bench.cluster.counter(kVictim, counter)));
  }
  std::printf("%llu forged frames: %llu refused and counted, %s\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(counted),
              same ? "nothing accepted" : "SOMETHING ACCEPTED");
  return same && counted == count;
}

/// Ticks of the victim's worker for each, the least of some rounds, and that beside the time that
/// it has for good traffic.
void tell_cost(Bench& bench) {
  const std::uint64_t begin = recorder::ticks_now();
  const TimeNs begun = monotonic_now();
  Forger forger(bench.orderer_wire.kept(), bench.cluster.lane(kVictim).received);
  std::array<double, kKinds.size()> least;
  least.fill(1e9);
  for (int round = 0; round < 50; ++round) {
    for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
      const std::uint64_t before = bench.cluster.ticks(kVictim).worker;
      for (int burst = 0; burst < 8; ++burst) {
        for (int i = 0; i < 256; ++i) bench.wire.inject(forger.next(kKinds[kind]));
        bench.cluster.turn(0, 0);
      }
      const auto ticks = static_cast<double>(bench.cluster.ticks(kVictim).worker - before);
      least[kind] = std::min(least[kind], ticks / (8 * 256));
    }
  }
  const double ticks_a_ns = static_cast<double>(recorder::ticks_now() - begin) /
                            static_cast<double>(monotonic_now() - begun);
  for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
    const double ns = least[kind] / ticks_a_ns;
    std::printf("%-18s %6.1f ns each: 10 %% of a worker at %4.1f M a second\n",
                name_of(kKinds[kind]), ns, 100.0 / ns);
  }
}

}  // namespace
}  // namespace phalanx::bench

int main(int argc, char** argv) {
  using namespace phalanx::bench;
  const std::uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  if (argc > 2 || count == 0) {
    std::fputs("usage: forged-frames [COUNT]: so many (1000000) before a worker at rest\n", stderr);
    return 2;
  }
  Bench bench = make_bench();
  const bool good = all_refused(bench, count);
  tell_cost(bench);
  return good ? 0 : 1;
}
