#include "perf/ring/ring_bench.h"

#include <sched.h>

#include <atomic>
#include <memory>
#include <thread>

#include "controlplane/cli/arguments.h"
#include "ipc/base/time_ns.h"
#include "ipc/shm/mirrored_ring.h"
#include "ipc/shm/spsc_byte_ring.h"
#include "perf/harness/placement.h"
#include "perf/harness/repeat.h"

namespace phalanx::perf {
namespace {

struct Options {
  Repeat repeat;
  std::string sizes = "64,1400,8192,65536";
  std::string placement = "two-cores";
};

constexpr std::uint64_t kRingBytes = 1U << 20;

/// One way, with both ends.
struct Way {
  explicit Way(shm::MirroredRing made)
      : memory(std::move(made)),
        in(indices, memory.data(), kRingBytes),
        out(indices, memory.data(), kRingBytes) {}

  shm::RingIndices indices;
  shm::MirroredRing memory;
  shm::SpscProducer in;
  shm::SpscConsumer out;
};

/// Tells a loop that waits to let others run: where both threads share a core, and now and then
/// elsewhere, since a host may have fewer cores than it says.
class Waiting {
 public:
  explicit Waiting(bool yields) : every_(yields ? 1 : 4096) {}
  void once() noexcept {
    if (++count_ % every_ == 0)
      sched_yield();
    else
      __builtin_ia32_pause();
  }

 private:
  std::uint32_t every_;
  std::uint32_t count_ = 0;
};

/// Copies everything out that comes, in bursts, until told to stop.
void drain(Way& way, std::vector<std::byte>& into, std::atomic<std::uint64_t>& received,
           const std::atomic<bool>& stop, bool yields) {
  Waiting waiting(yields);
  std::uint64_t count = 0;
  while (!stop.load(std::memory_order_relaxed)) {
    shm::RingRecord record;
    int burst = 0;
    while (burst < 32 && way.out.peek(record)) {
      std::memcpy(into.data(), record.payload.data(), record.payload.size());
      way.out.pop();
      ++burst;
    }
    if (burst == 0) {
      waiting.once();
      continue;
    }
    way.out.release();
    count += static_cast<std::uint64_t>(burst);
    received.store(count, std::memory_order_release);
  }
}

void stream(Point& point, const Options& options, Way& way, std::size_t size, bool shared_core) {
  std::vector<std::byte> payload(size, std::byte{1});
  std::vector<std::byte> into(size);
  std::atomic<std::uint64_t> received = 0;
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    if (options.placement != "free") (void)run_on(shared_core ? 0 : 1);
    drain(way, into, received, stop, shared_core);
  });
  Waiting waiting(shared_core);
  std::vector<double> rates;
  for (std::uint64_t run = 0; run <= options.repeat.runs; ++run) {
    const std::uint64_t before = received.load(std::memory_order_acquire);
    const TimeNs begin = monotonic_now();
    const TimeNs end = begin + static_cast<TimeNs>(options.repeat.seconds * 1e9);
    while (monotonic_now() < end) {
      int burst = 0;
      while (burst < 64 && way.in.write(0, payload)) ++burst;
      if (burst == 0)
        waiting.once();
      else
        way.in.publish();
    }
    const auto count = static_cast<double>(received.load(std::memory_order_acquire) - before);
    if (run > 0) rates.push_back(count * 1e9 / static_cast<double>(monotonic_now() - begin));
  }
  stop = true;
  reader.join();
  std::vector<double> bytes;
  for (const double rate : rates) bytes.push_back(rate * static_cast<double>(size) / 1e6);
  point.figures.push_back({.name = "records_per_s", .unit = "/s", .runs = std::move(rates)});
  point.figures.push_back({.name = "mb_per_s", .unit = "MB/s", .runs = std::move(bytes)});
}

/// Steps over one record; waits for it. False: it was told to stop.
bool take_one(Way& way, Waiting& waiting, const std::atomic<bool>& stop) {
  shm::RingRecord record;
  while (!way.out.peek(record)) {
    if (stop.load(std::memory_order_relaxed)) return false;
    waiting.once();
  }
  way.out.pop();
  way.out.release();
  return true;
}

void round_trips(Point& point, const Options& options, Way& there, Way& back, std::size_t size,
                 bool shared_core) {
  const std::vector<std::byte> payload(size, std::byte{1});
  std::atomic<bool> stop = false;
  std::thread other([&] {
    if (options.placement != "free") (void)run_on(shared_core ? 0 : 1);
    Waiting waiting(shared_core);
    while (take_one(there, waiting, stop)) {
      (void)back.in.write(0, payload);
      back.in.publish();
    }
  });
  Waiting waiting(shared_core);
  Latencies trips{.name = "round_trip", .ns = {}};
  const std::atomic<bool> never = false;
  const TimeNs warm = monotonic_now() + static_cast<TimeNs>(options.repeat.seconds * 0.5e9);
  const TimeNs end = warm + static_cast<TimeNs>(static_cast<double>(options.repeat.runs) *
                                                options.repeat.seconds * 1e9);
  for (TimeNs begin = monotonic_now(); begin < end;) {
    (void)there.in.write(0, payload);
    there.in.publish();
    (void)take_one(back, waiting, never);
    const TimeNs done = monotonic_now();
    if (begin >= warm) trips.ns.add(done - begin);
    begin = done;
  }
  stop = true;
  other.join();
  point.latencies.push_back(trips);
}

ExitCode run(const Options& options, const cli::Globals& globals) {
  const auto sizes = read_numbers("--sizes", options.sizes, 1, kRingBytes / 4);
  if (!sizes) return cli::report(sizes.error(), globals);
  const bool shared_core = options.placement == "same-core";
  if (options.placement != "free") (void)run_on(0);
  Result result{.benchmark = "ring",
                .parameters = {{"ring_bytes", kRingBytes}, {"placement", options.placement}},
                .points = {},
                .trouble = {}};
  for (const std::uint64_t size : *sizes) {
    auto there = shm::MirroredRing::create(kRingBytes, {.prefault = true});
    if (!there) return cli::report(there.error(), globals);
    auto back = shm::MirroredRing::create(kRingBytes, {.prefault = true});
    if (!back) return cli::report(back.error(), globals);
    Point point{.at = {{"size", size}}, .figures = {}, .latencies = {}};
    {
      const auto one = std::make_unique<Way>(std::move(*there));
      const auto other = std::make_unique<Way>(std::move(*back));
      round_trips(point, options, *one, *other, size, shared_core);
      stream(point, options, *one, size, shared_core);
      if (one->out.broken() || one->in.broken()) result.trouble = "a ring's end found it broken";
    }
    result.points.push_back(std::move(point));
  }
  return print_result(result, globals);
}

}  // namespace

void add_ring(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  cli::Command command = root.add(
      "ring", "The ring between a client and its data plane: round trips and rate, copied out.");
  command.text("--sizes", o->sizes, "Bytes of a record, commas between", "BYTES")
      .word("--placement", o->placement, {"two-cores", "same-core", "free"},
            "Where the two threads run");
  add_repeat_options(command, o->repeat);
  command.run([&globals, o] { return run(*o, globals); });
}

}  // namespace phalanx::perf
