#include "dataplane/core/group_state.h"
#include "tests/sim/checkers/checkers.h"
#include "tests/sim/checkers/violation.h"

namespace phalanx::sim {
namespace {

constexpr char kName[] = "G7 views";

void check_group_state(const Facts& facts, const Delivery& delivery, const Reader& reader) {
  std::map<std::pair<GroupId, ClientId>, bool> told;
  const bool whole = core::decode_group_state(delivery.payload, [&](const core::Membership& m) {
    told[{m.group, m.client}] = true;
  });
  if (!whole) violated(kName, facts.name(delivery.who) + " delivers a malformed group state");
  const auto known = reader.groups.find(delivery.header.origin);
  if (known == reader.groups.end() || known->second == told) return;
  violated(kName, facts.name(delivery.who) + " knows " + std::to_string(known->second.size()) +
                      " ordered joins of node " + std::to_string(delivery.header.origin) +
                      " in lane " + std::to_string(delivery.lane) + ", whose group state in " +
                      facts.name_view(reader.view) + " has others (" + std::to_string(told.size()) +
                      ")");
}

}  // namespace

void Views::on_install(const Facts& facts, Incarnation who, const wire::Plan& plan) {
  const IncarnationFacts& me = facts.incarnations[who];
  std::uint64_t& last = last_sequence_[me.member.node];
  if (plan.attempt.sequence <= last) {
    violated(kName, facts.name(who) + " installs " + to_string(plan.attempt) + " after sequence " +
                        std::to_string(last));
  }
  last = plan.attempt.sequence;
  bool self = false;
  for (const Member& member : plan.members) self = self || member == me.member;
  if (!self)
    violated(kName,
             facts.name(who) + " installs " + to_string(plan.attempt) + " without being in it");
  const ViewIndex known = facts.find_view(plan.attempt);
  if (known != 0 && facts.views[known].members != plan.members) {
    violated(kName, facts.name(who) + " installs " + to_string(plan.attempt) +
                        " with another membership than " + "others did");
  }
}

void Views::on_deliver(const Facts& facts, const Delivery& delivery) {
  const Reader& reader = facts.incarnations[delivery.who].readers[delivery.lane];
  if (reader.view == 0)
    violated(kName, facts.name(delivery.who) + " delivers before its first view");
  if (reader.transitional) return;
  if (delivery.header.kind == core::RecordKind::GroupState) {
    const std::size_t rank = facts.views[reader.view].rank_of(delivery.origin);
    if (rank < reader.barrier.size() && reader.barrier[rank]) {
      violated(kName, facts.name(delivery.who) + " delivers the group state of node " +
                          std::to_string(delivery.header.origin) + " twice in " +
                          facts.name_view(reader.view));
    }
    check_group_state(facts, delivery, reader);
  } else if (counts(delivery.header.kind) && reader.barrier_missing != 0) {
    violated(kName, facts.name(delivery.who) + " delivers a record in " +
                        facts.name_view(reader.view) + " before " +
                        std::to_string(reader.barrier_missing) + " group states of its barrier");
  }
}

}  // namespace phalanx::sim
