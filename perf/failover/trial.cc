#include "perf/failover/trial.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "controlplane/cli/demo/compare.h"
#include "controlplane/cli/stop_signal.h"

namespace phalanx::perf {
namespace {

constexpr TimeNs kPatience = 30 * kSecond;
/// A joiner that stays for less than max(10 x hold, 2 x stall_after) is held longer the next time
/// (controlplane/membership/membership.md); so is a data plane that did not live for a second.
constexpr TimeNs kSettle = 1200 * kMillisecond;

void pause_for(TimeNs time) { std::this_thread::sleep_for(std::chrono::nanoseconds(time)); }

}  // namespace

TimeNs Bench::told_of_view(bool with_last, TimeNs after) const {
  TimeNs last = 0;
  for (std::size_t i = 0; i < crew_.size(); ++i) {
    if (crew_.node_of(i) == cluster_.size()) continue;
    const auto points = cli::sequence_of(crew_.slot(i)).checkpoints;
    const auto found = std::ranges::find_if(points, [&](const cli::Checkpoint& point) {
      return point.kind == cli::Checkpoint::Kind::View && point.time_ns >= after &&
             (point.members >> cluster_.size() & 1) == (with_last ? 1U : 0U);
    });
    if (found == points.end()) return 0;
    last = std::max<TimeNs>(last, found->time_ns);
  }
  return last;
}

bool Bench::is_whole() const {
  for (std::size_t i = 0; i < crew_.size(); ++i) {
    if (crew_.slot(i).group_members.load(std::memory_order_acquire) != crew_.size()) return false;
  }
  return true;
}

std::string Bench::rule_of_last_view() const {
  const nlohmann::json status = cluster_.status(1);
  const nlohmann::json none = nlohmann::json::array();
  for (const nlohmann::json& left : status.value("/view/left"_json_pointer, none)) {
    if (left.value("node", std::size_t{0}) == cluster_.size()) return left.value("why", "");
  }
  return "unknown";
}

Expected<void, Error> Bench::check() const {
  if (cli::stop_requested()) return fail(Error{.attempted = "interrupted"});
  for (std::size_t i = 0; i < crew_.size(); ++i) {
    const cli::ClientSlot& slot = crew_.slot(i);
    if (slot.failed.load(std::memory_order_acquire) != 0) {
      return fail(Error{.attempted = "a client failed", .observed = slot.error.data()});
    }
    if (slot.checkpoint_count.load(std::memory_order_acquire) == cli::kCheckpointsMax) {
      return fail(Error{.attempted = "too many trials in one run",
                        .observed = std::to_string(cli::kCheckpointsMax) + " views and joins",
                        .remedy = "ask for fewer, or for one fault a run"});
    }
  }
  return {};
}

template <typename Condition>
Expected<void, Error> Bench::wait(const char* what, Condition condition) const {
  const TimeNs end = monotonic_now() + kPatience;
  while (!condition()) {
    if (auto fine = check(); !fine) return fine;
    if (monotonic_now() > end) {
      return fail(Error{.code = ExitCode::TimeOut,
                        .attempted = std::string("waited in vain: ") + what,
                        .observed = "nothing for 30 s"});
    }
    pause_for(2 * kMillisecond);
  }
  return {};
}

Expected<Trial, Error> Bench::run(const Fault& fault) {
  crew_.board().gap_round.fetch_add(1);
  pause_for(50 * kMillisecond);
  const Processes last{.data_plane = cluster_.dataplane(cluster_.size()),
                       .control_plane = cluster_.controlplane(cluster_.size())};
  const TimeNs start = monotonic_now();
  if (auto done = fault.inject(cluster_, last); !done) return fail(done.error());
  Trial trial;
  TimeNs at = 0;
  auto done =
      wait("a view without the last node", [&] { return (at = told_of_view(false, start)) != 0; });
  if (!done) return fail(done.error());
  trial.view = at - start;
  trial.rule = rule_of_last_view();
  pause_for(50 * kMillisecond);  // The gap is noted with the delivery that ends it.
  for (std::size_t i = 0; i < crew_.size(); ++i) {
    if (crew_.node_of(i) == cluster_.size()) continue;
    trial.gap = std::max<TimeNs>(trial.gap, crew_.slot(i).gap_ns.load(std::memory_order_acquire));
  }
  const TimeNs mend = monotonic_now();
  if (fault.mend != nullptr) {
    if (done = fault.mend(cluster_); !done) return fail(done.error());
  }
  done = wait("a view with the last node",
              [&] { return (at = told_of_view(true, start + trial.view)) != 0; });
  if (!done) return fail(done.error());
  if (fault.mended != nullptr) trial.rejoined = at - mend;
  if (done = wait("the last node's client", [&] { return is_whole(); }); !done) {
    return fail(done.error());
  }
  pause_for(kSettle);
  if (auto fine = check(); !fine) return fail(fine.error());
  return trial;
}

}  // namespace phalanx::perf
