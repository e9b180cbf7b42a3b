#include "perf/wire/wire_run.h"

#include <sched.h>

#include <algorithm>

#include "controlplane/cli/stop_signal.h"

namespace phalanx::perf {
namespace {

using transport::Destination;
using Kind = WireWord::Kind;

constexpr TimeNs kPatience = 30 * kSecond;
constexpr TimeNs kAgain = 20 * kMillisecond;
constexpr TimeNs kPongLimit = 200 * kMillisecond;
constexpr TimeNs kQuiet = 500 * kMillisecond;
constexpr std::uint64_t kWarmUp = 100;
constexpr std::uint64_t kLostInARow = 50;
constexpr std::size_t kShort = sizeof(WireWord);
constexpr Destination kEveryone{.kind = Destination::Kind::Everyone};

Destination peer(NodeId node) { return {.kind = Destination::Kind::Peer, .peer = node}; }

Error vain(std::string attempted, std::string observed) {
  return {.code = ExitCode::TimeOut,
          .attempted = std::move(attempted),
          .observed = std::move(observed),
          .remedy =
              "start all nodes of --nodes with the same options, each with its --self; "
              "-> ping, ibv_devinfo, firewalls"};
}

Error interrupted() { return {.attempted = "interrupted"}; }

/// Another process may have this processor.
void pause_a_little(std::size_t received) {
  if (received == 0) sched_yield();
}

Expected<void, Error> meet(WireNode& node) {
  std::vector<bool> here(node.nodes() + 1, false);
  here[node.self()] = true;
  const TimeNs end = monotonic_now() + kPatience;
  TimeNs due = 0;
  std::size_t missing = node.nodes() - 1;
  while (missing > 0) {
    const TimeNs now = monotonic_now();
    if (cli::stop_requested()) return fail(interrupted());
    if (now > end) {
      return fail(vain(
          "waited in vain for the other nodes",
          std::to_string(missing) + " of " + std::to_string(node.nodes() - 1) + " never answered"));
    }
    if (now >= due) {
      due = now + kAgain;
      node.send(kEveryone, {.kind = Kind::Hello}, kShort);
    }
    pause_a_little(node.receive([&](const WireWord& word, std::size_t) {
      if (word.kind != Kind::Here || here[word.from]) return;
      here[word.from] = true;
      --missing;
    }));
  }
  return {};
}

/// Half of the way there and back, one ping outstanding.
Expected<void, Error> ping(WireNode& node, const WireOptions& options, WireReport& report) {
  std::uint64_t in_a_row = 0;
  for (std::uint64_t number = 1; number <= options.count + kWarmUp; ++number) {
    if (cli::stop_requested()) return fail(interrupted());
    const TimeNs start = monotonic_now();
    node.send(peer(2), {.kind = Kind::Ping, .number = number}, options.size);
    TimeNs back = 0;
    while (back == 0 && monotonic_now() - start < kPongLimit) {
      pause_a_little(node.receive([&](const WireWord& word, std::size_t) {
        if (word.kind == Kind::Pong && word.number == number) back = monotonic_now();
      }));
    }
    in_a_row = back != 0 ? 0 : in_a_row + 1;
    if (in_a_row == kLostInARow) {
      return fail(vain("waited in vain for answers of node 2",
                       std::to_string(kLostInARow) + " pings in a row had none"));
    }
    if (number <= kWarmUp) continue;
    if (back != 0) {
      report.half_trips.add(static_cast<std::uint64_t>(back - start) / 2);
    } else {
      ++report.lost;
    }
  }
  report.sent = options.count;
  return {};
}

/// As fast as the wire takes them.
Expected<void, Error> flood(WireNode& node, const WireOptions& options, Destination to,
                            WireReport& report) {
  const TimeNs start = monotonic_now();
  const TimeNs end = start + static_cast<TimeNs>(options.seconds * 1e9);
  const std::uint64_t refused = node.wire().counters().tx_refused;
  TimeNs now = start;
  while (now < end) {
    if (cli::stop_requested()) return fail(interrupted());
    for (int i = 0; i < 16; ++i) {
      const std::size_t sent = node.send(to, {.kind = Kind::Data}, options.size, WireNode::kBurst);
      report.sent += sent;
      node.receive([](const WireWord&, std::size_t) {});  // Its own copies fill the queue, too.
      if (sent == 0) sched_yield();
    }
    now = monotonic_now();
  }
  report.seconds = static_cast<double>(now - start) / 1e9;
  report.sent -= std::min(report.sent, node.wire().counters().tx_refused - refused);
  return {};
}

Expected<void, Error> collect(WireNode& node, std::vector<NodeId> of, WireReport& report) {
  const TimeNs start = monotonic_now();
  TimeNs due = start + kQuiet;  // What is under way still counts.
  while (!of.empty()) {
    const TimeNs now = monotonic_now();
    if (cli::stop_requested()) return fail(interrupted());
    if (now > start + kPatience) {
      return fail(vain("waited in vain for what node " + std::to_string(of.front()) + " counted",
                       "no answer in 30 s"));
    }
    if (now >= due) {
      due = now + kAgain;
      for (const NodeId one : of) node.send(peer(one), {.kind = Kind::End}, kShort);
    }
    pause_a_little(node.receive([&](const WireWord& word, std::size_t) {
      if (word.kind != Kind::Count || std::erase(of, word.from) == 0) return;
      report.receivers.push_back({.node = word.from,
                                  .frames = word.number,
                                  .seconds = static_cast<double>(word.duration) / 1e9});
    }));
  }
  std::ranges::sort(report.receivers, {}, &WireReport::Receiver::node);
  return {};
}

}  // namespace

Expected<WireReport, Error> lead(WireNode& node, const WireOptions& options) {
  if (auto met = meet(node); !met) return fail(std::move(met.error()));
  WireReport report;
  Expected<void, Error> done;
  if (options.shape == "latency") {
    done = ping(node, options, report);
  } else {
    done = flood(node, options, options.shape == "fanout" ? kEveryone : peer(2), report);
  }
  if (!done) return fail(std::move(done.error()));
  std::vector<NodeId> others;
  for (NodeId other = 2; other <= node.nodes(); ++other) others.push_back(other);
  if (auto told = collect(node, std::move(others), report); !told) {
    return fail(std::move(told.error()));
  }
  return report;
}

Expected<std::uint64_t, Error> serve(WireNode& node) {
  std::uint64_t frames = 0;
  TimeNs first = 0;
  TimeNs last = 0;
  bool ended = false;
  TimeNs heard = monotonic_now();
  while (monotonic_now() - heard < (ended ? kQuiet : kPatience)) {
    if (cli::stop_requested()) return fail(interrupted());
    pause_a_little(node.receive([&](const WireWord& word, std::size_t bytes) {
      heard = monotonic_now();
      switch (word.kind) {
        case Kind::Hello:
          node.send(peer(word.from), {.kind = Kind::Here}, kShort);
          break;
        case Kind::Ping:
          node.send(peer(word.from), {.kind = Kind::Pong, .number = word.number}, bytes);
          break;
        case Kind::Data:
          if (first == 0) first = heard;
          last = heard;
          ++frames;
          break;
        case Kind::End:
          ended = true;
          node.send(peer(word.from),
                    {.kind = Kind::Count,
                     .number = frames,
                     .duration = static_cast<std::uint64_t>(last - first)},
                    kShort);
          break;
        case Kind::Here:
        case Kind::Pong:
        case Kind::Count:
          break;
      }
    }));
  }
  if (ended) return frames;
  return fail(vain("waited in vain for node 1", "nothing came in 30 s"));
}

}  // namespace phalanx::perf
