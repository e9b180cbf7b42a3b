#include "ipc/recorder/event.h"

#include <algorithm>
#include <iterator>

namespace phalanx::recorder {
namespace {

using S = Subsystem;
using F = Field;

constexpr FieldInfo kNothing{};
constexpr FieldInfo kMembers{"members", F::Nodes};

constexpr KindInfo kKinds[] = {
    {Kind::Started, "started", S::Process, {{{"pid", F::Number}, kNothing, kNothing}}},
    {Kind::Stopped, "stopped", S::Process, {}},
    {Kind::Gap, "gap", S::Worker, {{{"absent", F::Duration}, kNothing, kNothing}}},
    {Kind::Distrusted, "distrusted-itself", S::Worker, {{{"absent", F::Duration}}}},
    {Kind::WireLoss,
     "wire-loss",
     S::Worker,
     {{{"overflow", F::Number}, {"refused", F::Number}, {"not_sent", F::Number}}}},
    {Kind::Frozen, "frozen", S::Lane, {{{"received", F::Position}, kNothing, kNothing}}},
    {Kind::RecoveryBegan, "recovery-began", S::Lane, {}},
    {Kind::Recovered, "recovered", S::Lane, {}},
    {Kind::Installed, "installed", S::Lane, {{kMembers, {"quorate", F::Truth}, kNothing}}},
    {Kind::BarrierDone, "barrier-done", S::Lane, {{{"received", F::Position}}}},
    {Kind::Refused, "refused", S::Lane, {{{"order", F::Number}, kNothing, kNothing}}},
    {Kind::Orderer, "orderer", S::Lane, {}},
    {Kind::Progress,
     "progress",
     S::Lane,
     {{{"from", F::Position}, {"to", F::Position}, {"delivered", F::Number}}}},
    {Kind::NakSent,
     "nak-sent",
     S::Lane,
     {{{"from", F::Position}, {"to", F::Position}, {"of_log", F::Truth}}}},
    {Kind::NakHeard,
     "nak-heard",
     S::Lane,
     {{{"from", F::Position}, {"to", F::Position}, {"of_log", F::Truth}}}},
    {Kind::SubmitRefused, "submissions-refused", S::Lane, {{{"times", F::Number}}}},
    {Kind::ClientAttached,
     "client-attached",
     S::Client,
     {{{"client", F::Number}, {"pid", F::Number}, {"uid", F::Number}}}},
    {Kind::ClientGone, "client-gone", S::Client, {{{"client", F::Number}}}},
    {Kind::ClientEvicted, "client-evicted", S::Client, {{{"client", F::Number}}}},
    {Kind::ClientSlow, "client-slow", S::Client, {{{"client", F::Number}}}},
    {Kind::Suspected, "suspected", S::Membership, {{{"silent", F::Duration}}}},
    {Kind::Trusted, "trusted", S::Membership, {}},
    {Kind::Convicted,
     "convicted",
     S::Membership,
     {{{"rule", F::Rule}, {"silent", F::Duration}, {"member", F::Truth}}}},
    {Kind::HeardAgain, "heard", S::Membership, {}},
    {Kind::AttemptStarted,
     "attempt-started",
     S::Membership,
     {{kMembers, {"lost", F::Nodes}, {"joining", F::Nodes}}}},
    {Kind::AttemptPromised,
     "attempt-promised",
     S::Membership,
     {{kMembers, {"lost", F::Nodes}, {"joining", F::Nodes}}}},
    {Kind::AttemptFailed,
     "attempt-failed",
     S::Membership,
     {{kNothing, {"unheard", F::Nodes}, kNothing}}},
    {Kind::ReportSent, "report-sent", S::Membership, {}},
    {Kind::PlanMade, "plan-made", S::Membership, {{kMembers, {"cut", F::Position}}}},
    {Kind::PlanTaken, "plan-taken", S::Membership, {{kMembers, {"cut", F::Position}}}},
    {Kind::DoneSent, "done-sent", S::Membership, {}},
    {Kind::InstallOrdered, "install-ordered", S::Membership, {{kMembers}}},
    {Kind::ViewInstalled,
     "view-installed",
     S::Membership,
     {{kMembers, {"left", F::Nodes}, {"took", F::Duration}}}},
    {Kind::Left, "left", S::Membership, {{{"rule", F::Rule}, kNothing, kNothing}}},
    {Kind::Obituary, "obituary", S::Membership, {}},
    {Kind::PeerLinkDown, "peer-link-down", S::Membership, {}},
    {Kind::OwnLink, "own-link", S::Membership, {{{"up", F::Truth}}}},
    {Kind::KeptOut, "kept-out", S::Membership, {{{"mine", F::Number}, {"theirs", F::Number}}}},
    {Kind::QuorumIs,
     "quorum",
     S::Quorum,
     {{{"quorate", F::Truth}, {"votes", F::Number}, {"needed", F::Number}}}},
    {Kind::DataPlaneUp, "dataplane-up", S::Process, {{{"pid", F::Number}}}},
    {Kind::DataPlaneDown, "dataplane-down", S::Process, {{{"pid", F::Number}}}},
    {Kind::Order,
     "order",
     S::Admin,
     {{{"command", F::Command}, {"pid", F::Number}, {"uid", F::Number}}}},
    {Kind::OrderRefused,
     "order-refused",
     S::Admin,
     {{{"command", F::Command}, {"pid", F::Number}, {"uid", F::Number}}}},
};

}  // namespace

const KindInfo* info_of(Kind kind) noexcept {
  const auto at = std::find_if(std::begin(kKinds), std::end(kKinds),
                               [kind](const KindInfo& info) { return info.kind == kind; });
  return at == std::end(kKinds) ? nullptr : &*at;
}

std::string_view to_string(Subsystem subsystem) noexcept {
  switch (subsystem) {
    case Subsystem::Process:
      return "process";
    case Subsystem::Worker:
      return "worker";
    case Subsystem::Lane:
      return "lane";
    case Subsystem::Client:
      return "client";
    case Subsystem::Membership:
      return "membership";
    case Subsystem::Quorum:
      return "quorum";
    case Subsystem::Admin:
      return "admin";
  }
  return "corrupt";
}

std::uint64_t pack_word(std::string_view word) noexcept {
  std::uint64_t packed = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(word.size(), 8); ++i) {
    packed |= std::uint64_t{static_cast<unsigned char>(word[i])} << (8 * i);
  }
  return packed;
}

}  // namespace phalanx::recorder
