#include "controlplane/cli/demo/run.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "controlplane/cli/demo/process.h"
#include "controlplane/cli/demo/progress.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/stop_signal.h"

namespace phalanx::cli {
namespace {

std::uint64_t value_of(const std::atomic<std::uint64_t>& counter) {
  return counter.load(std::memory_order_acquire);
}

}  // namespace

Expected<void, Error> DemoRun::wait_until(const std::string& what, TimeNs patience,
                                          const std::function<bool()>& condition) {
  const TimeNs end = monotonic_now() + patience;
  TimeNs shown = monotonic_now();
  std::uint64_t last = delivered_total();
  while (!condition()) {
    if (stop_requested()) return fail(Error{.attempted = "interrupted"});
    if (const std::string why = crew_.trouble(); !why.empty()) {
      return fail(Error{.attempted = "a client of the demo failed", .observed = why});
    }
    if (const std::string gone = cluster_.ended(); !gone.empty()) {
      return fail(Error{.attempted = "the demo's cluster failed", .observed = gone});
    }
    const TimeNs now = monotonic_now();
    if (now > end) {
      return fail(Error{.code = ExitCode::TimeOut,
                        .attempted = "waited in vain: " + what,
                        .observed = std::to_string(delivered_total()) + " deliveries of " +
                                    std::to_string(sent_total()) + " messages so far"});
    }
    if (now - shown >= kSecond / 4) {
      const std::uint64_t total = delivered_total();
      const double rate =
          static_cast<double>(total - last) / (static_cast<double>(now - shown) / 1e9);
      show_progress(what + ": " + short_number(rate / static_cast<double>(crew_.size())) +
                    " messages/s at each client");
      last = total;
      shown = now;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return {};
}

Expected<void, Error> DemoRun::wait(TimeNs duration, const std::string& what) {
  const TimeNs end = monotonic_now() + duration;
  return wait_until(what, duration + options_.patience(), [&] { return monotonic_now() >= end; });
}

void DemoRun::set_phase(Phase phase) {
  crew_.board().phase.store(phase, std::memory_order_release);
}

std::uint64_t DemoRun::delivered_total() {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < crew_.size(); ++i) total += value_of(crew_.slot(i).delivered);
  return total;
}

std::uint64_t DemoRun::sent_total() {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < crew_.size(); ++i) total += value_of(crew_.slot(i).sent);
  return total;
}

// Quiet: senders have stopped, every client has its own messages back (but for those that died with
// a data plane), and nothing was delivered anywhere for a while.
Expected<void, Error> DemoRun::drain() {
  set_phase(Phase::Wait);
  constexpr TimeNs kQuiet = 150 * kMillisecond;
  std::uint64_t total = ~std::uint64_t{0};
  TimeNs since = 0;
  return wait_until("the last messages are delivered", options_.patience(), [&] {
    const std::uint64_t now_total = delivered_total() + sent_total();
    if (now_total != total) {
      total = now_total;
      since = monotonic_now();
      return false;
    }
    for (std::size_t i = 0; i < crew_.size(); ++i) {
      ClientSlot& slot = crew_.slot(i);
      if (value_of(slot.own) + value_of(slot.lost) != value_of(slot.sent)) return false;
    }
    return monotonic_now() - since >= kQuiet;
  });
}

Expected<void, Error> DemoRun::measure_latency() {
  const TimeNs duration = std::clamp<TimeNs>(static_cast<TimeNs>(options_.seconds * 2e8),
                                             200 * kMillisecond, 2 * kSecond);
  set_phase(Phase::Latency);
  if (auto done = wait(duration, "one message outstanding"); !done) return done;
  if (auto done = drain(); !done) return done;
  const Histogram& h = crew_.slot(0).latency_ns;
  const auto microseconds = [&](double q) { return static_cast<double>(h.at(q)) / 1e3; };
  report_.latency = {.p50_us = microseconds(0.5),
                     .p99_us = microseconds(0.99),
                     .p999_us = microseconds(0.999),
                     .max_us = static_cast<double>(h.max()) / 1e3};
  show_step("latency: " + grouped(h.total()) + " messages one after the other, p50 " +
            fixed(report_.latency.p50_us, 1) + " us");
  if (h.total() > 0) return {};
  return fail(Error{.attempted = "no message came back", .observed = "in the latency phase"});
}

Expected<void, Error> DemoRun::measure_throughput() {
  struct Before {
    std::uint64_t cpu_ns = 0;
    std::uint64_t delivered = 0;
  };
  // A node's processor time is its data plane's and its clients'.
  const auto cpu_of_node = [&](std::size_t node) {
    std::uint64_t total = usage_of(cluster_.dataplane(node)).cpu_ns;
    for (std::size_t i = 0; i < crew_.size(); ++i) {
      if (crew_.node_of(i) == node) total += usage_of(crew_.process(i)).cpu_ns;
    }
    return total;
  };
  std::vector<Before> before;
  for (std::size_t node = 1; node <= cluster_.size(); ++node) {
    before.push_back({cpu_of_node(node), value_of(crew_.slot(node - 1).delivered)});
  }

  const TimeNs start = monotonic_now();
  set_phase(Phase::Flood);
  if (auto done = wait(static_cast<TimeNs>(options_.seconds * 1e9), "full speed"); !done)
    return done;
  set_phase(Phase::Wait);
  const auto everywhere = [&] {
    const std::uint64_t want = sent_total();
    for (std::size_t i = 0; i < crew_.size(); ++i) {
      if (value_of(crew_.slot(i).delivered) < want) return false;
    }
    return true;
  };
  // Senders may notice the change of phase a little later: until then `sent` still grows.
  if (auto done = wait_until("the last messages are delivered", options_.patience(), everywhere);
      !done)
    return done;
  const TimeNs elapsed = monotonic_now() - start;
  if (auto done = drain(); !done) return done;

  double cpu = 0;
  std::uint64_t least = ~std::uint64_t{0};
  std::uint64_t rss = 0;
  for (std::size_t node = 1; node <= cluster_.size(); ++node) {
    const std::uint64_t count =
        value_of(crew_.slot(node - 1).delivered) - before[node - 1].delivered;
    least = std::min(least, count);
    if (count > 0) {
      cpu += static_cast<double>(cpu_of_node(node) - before[node - 1].cpu_ns) / 1e3 /
             static_cast<double>(count);
    }
    rss = std::max(rss, usage_of(cluster_.dataplane(node)).rss_bytes +
                            usage_of(cluster_.controlplane(node)).rss_bytes);
  }
  report_.seconds = static_cast<double>(elapsed) / 1e9;
  report_.rate_msgs_per_s = static_cast<double>(least) / report_.seconds;
  report_.cpu_us_per_msg_per_node = cpu / static_cast<double>(cluster_.size());
  report_.rss_mb_per_node = static_cast<double>(rss) / 1e6;
  show_step("throughput: " + grouped(least) + " messages at every node in " +
            fixed(report_.seconds, 2) + " s, " + short_number(report_.rate_msgs_per_s) + "/s");
  return {};
}

}  // namespace phalanx::cli
