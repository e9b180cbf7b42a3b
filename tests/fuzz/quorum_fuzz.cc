#include <vector>

#include "controlplane/quorum/quorum.h"
#include "ipc/base/assert.h"
#include "tests/fuzz/input.h"

namespace {

using namespace phalanx;
using namespace phalanx::quorum;

QuorumConfig draw_config(fuzz::Input& in) {
  QuorumConfig config;
  for (NodeId node = 1; node <= 4; ++node)
    config.nodes.push_back({node, static_cast<std::uint32_t>(in.choose(4))});
  config.expected_votes = static_cast<std::uint32_t>(in.choose(12));
  config.device_votes = static_cast<std::uint32_t>(in.choose(4));
  config.two_node = in.choose(8) == 0;
  config.wait_for_all = in.flip();
  config.last_man_standing = in.flip();
  config.tie_breaker = static_cast<TieBreaker>(in.choose(4));
  if (config.tie_breaker == TieBreaker::List) config.tie_breaker_nodes = {3, 1};
  return config;
}

wire::Ballot draw_ballot(fuzz::Input& in) {
  wire::Ballot ballot{.device_votes = static_cast<std::uint32_t>(in.number()),
                      .forgotten = in.flip(),
                      .settled = {in.number(), in.number()},
                      .open = {},
                      .amendment = {},
                      .order = {}};
  if (in.flip()) {
    ballot.amendment = {in.number(), static_cast<std::uint32_t>(in.number()), {}};
    for (std::size_t count = 3 + in.choose(3); count > 0; --count)
      ballot.amendment.votes.push_back(static_cast<std::uint16_t>(in.number()));
  }
  if (in.choose(4) == 0) {
    ballot.order = {static_cast<wire::Order::Kind>(in.choose(4)),
                    static_cast<std::uint8_t>(in.choose(6)),
                    static_cast<std::uint32_t>(in.number())};
  }
  for (std::size_t count = in.choose(5); count > 0; --count)
    ballot.open.push_back({in.number(ballot.settled.sequence), in.number()});
  return ballot;
}

std::optional<wire::Plan> draw_plan(fuzz::Input& in, std::uint64_t sequence) {
  wire::Plan plan{.attempt = {sequence, 1, fuzz::member_of(1).boot}};
  for (NodeId node = 1; node <= 6; ++node) {  // Two of them are not configured.
    if (in.flip()) continue;
    plan.members.push_back(fuzz::member_of(node));
    plan.ballots.push_back(draw_ballot(in));
  }
  if (plan.members.empty()) return std::nullopt;
  std::vector<std::byte> bytes;
  encode(plan, bytes);
  return wire::decode_plan(bytes);
}

}  // namespace

// Ballots are whatever a member writes. The answer is consistent in itself and the same at whoever
// got the same plan; what is kept over a restart of the control plane comes back as it was.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const QuorumConfig config = draw_config(in);
  std::uint64_t all_votes = config.device_votes;
  for (const Voter& voter : config.nodes) all_votes += voter.votes;
  Quorum one(config, 1), other(config, 2);
  std::uint64_t sequence = 0;
  for (TimeNs now = kSecond; !in.empty(); now += in.number() % (20 * kSecond)) {
    if (in.choose(8) == 0) {
      Quorum spoilt(config, 1);
      (void)spoilt.restore(in.bytes(in.choose(200)));  // Rubbish.
      continue;
    }
    const auto plan = draw_plan(in, ++sequence);
    if (!plan) continue;
    one.on_plan(*plan);
    other.on_plan(*plan);
    const Outcome& mine = one.on_install(*plan, now);
    const Outcome& theirs = other.on_install(*plan, now);
    PHX_CHECK(mine.quorate == theirs.quorate && mine.reason == theirs.reason);
    PHX_CHECK(mine.quorate == is_quorate(mine.reason));
    PHX_CHECK(mine.total <= all_votes || !one.amendment().votes.empty());
    PHX_CHECK(one.amendment() == other.amendment());
    PHX_CHECK((mine.counted & ~mine.present) == 0);
    if (mine.reason == Reason::Majority && !config.last_man_standing)
      PHX_CHECK(std::uint64_t{mine.total} * 2 > mine.expected);
    const std::vector<std::byte> kept = one.snapshot();
    Quorum restarted(config, 1);
    PHX_CHECK(restarted.restore(kept) && restarted.snapshot() == kept);
    if (!kept.empty())
      PHX_CHECK(!restarted.restore(std::span(kept).first(in.choose(255) % kept.size())));
  }
  return 0;
}
