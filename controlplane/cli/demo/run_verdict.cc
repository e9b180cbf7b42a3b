#include <array>
#include <cstdio>

#include "controlplane/cli/demo/compare.h"
#include "controlplane/cli/demo/run.h"
#include "controlplane/cli/output.h"

namespace phalanx::cli {
namespace {

std::uint64_t value_of(const std::atomic<std::uint64_t>& counter) {
  return counter.load(std::memory_order_acquire);
}

}  // namespace

/// " 3[1 2 3] 4[1 2]": the views a client has seen.
std::string DemoRun::views_of(std::size_t client) {
  std::string out;
  for (const Checkpoint& point : sequence_of(crew_.slot(client)).checkpoints) {
    if (point.kind != Checkpoint::Kind::View) continue;
    out += " " + std::to_string(point.first) + "[";
    for (std::size_t node = 1; node < 64; ++node) {
      if ((point.members >> node & 1) == 0) continue;
      out += (out.back() == '[' ? "" : " ") + std::to_string(node);
    }
    out += "]";
  }
  return out;
}

/// Nothing seems to move any more; on a busy host a client may only have been kept waiting. One
/// that lacks something for good still lacks it when this gives up.
void DemoRun::await_the_slowest() {
  const auto all_agree = [&] {
    for (std::size_t i = 1; i < crew_.size(); ++i) {
      if (!compare_client(i).agree) return false;
    }
    return true;
  };
  (void)wait_until("the slowest client", 5 * kSecond, all_agree);
}

Comparison DemoRun::compare_client(std::size_t client) {
  return compare(sequence_of(crew_.slot(0)), sequence_of(crew_.slot(client)),
                 is_victim(client) ? rejoin_points_[client] : 0);
}

Expected<void, Error> DemoRun::compare_all() {
  if (auto done = drain(); !done) return done;
  await_the_slowest();
  report_.sent = sent_total();
  report_.agree = true;
  const Sequence reference = sequence_of(crew_.slot(0));
  std::uint64_t same = 0;
  bool compared = false;
  bool split = false;
  for (std::size_t i = 1; i < crew_.size(); ++i) {
    const bool back = is_victim(i);
    const Comparison result = compare_client(i);
    const std::string who = "client " + std::to_string(i) + " on " + node_name(crew_.node_of(i));
    // Who was killed may have been alone for a moment before it met the others again.
    const bool agree = result.agree && result.items > 0 && (back || result.from_the_start);
    report_.agree = report_.agree && agree;
    if (result.agree && !agree) {
      report_.findings.push_back("order       " + who +
                                 " was in other views for a time:" + views_of(i));
      split = true;
    } else if (!result.agree) {
      report_.findings.push_back("order       " + who + " DIFFERS: " + result.why + ";" +
                                 views_of(i));
    } else if (back) {
      report_.findings.push_back("order       " + who + " delivered the same last " +
                                 grouped(result.items) + " events from its rejoin on");
    } else {
      same = result.items;
      compared = true;
    }
  }
  if (split) {
    report_.findings.push_back(
        "order       the first client's views:" + views_of(0) +
        "; the host is too busy for the timeouts, or nodes lost one another");
  }
  if (report_.agree) {
    const std::string all = compared ? "all that lived through delivered the same " +
                                           grouped(same) + " messages and views, in the same order"
                                     : "only one client lived through: it delivered " +
                                           grouped(reference.order.items) + " messages and views";
    report_.findings.insert(report_.findings.begin(), "order       " + all);
  }
  std::array<char, 17> hash{};
  std::snprintf(hash.data(), hash.size(), "%016lx", reference.order.hash);
  report_.order_hash = hash.data();

  bool complete = true;
  for (std::size_t i = 0; i < crew_.size(); ++i) {
    ClientSlot& slot = crew_.slot(i);
    if (i < cluster_.size()) report_.delivered.push_back(value_of(slot.delivered));
    const std::uint64_t disorders = value_of(slot.disorders);
    const bool lost = !is_victim(i) && value_of(slot.own) != value_of(slot.sent);
    if (disorders != 0 || lost) {
      complete = false;
      report_.findings.push_back("client " + std::to_string(i) + ": " + std::to_string(disorders) +
                                 " messages out of their sender's order, " +
                                 std::to_string(value_of(slot.sent) - value_of(slot.own)) +
                                 " lost");
    }
  }
  report_.ok = report_.agree && complete;
  return {};
}

}  // namespace phalanx::cli
