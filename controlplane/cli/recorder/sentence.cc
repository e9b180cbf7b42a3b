#include "controlplane/cli/recorder/sentence.h"

#include "controlplane/cli/output.h"

namespace phalanx::cli {
namespace {

using membership::LossRule;
using recorder::Kind;

std::string ms(std::uint64_t ns) { return fixed(static_cast<double>(ns) / 1e6, 1) + " ms"; }

std::string name(NodeId node) { return "n" + std::to_string(node); }

std::string without(const Noted& noted, std::uint64_t set) {
  return set == 0 ? "" : ", without " + set_text(noted, set);
}

std::string with(const Noted& noted, std::uint64_t set) {
  return set == 0 ? "" : ", taking in " + set_text(noted, set);
}

std::string convicted(const Noted& noted) {
  const recorder::Event& event = noted.event;
  const auto rule = static_cast<LossRule>(event.a);
  std::string text = event.c != 0 ? "gives " + name(event.node) + " up: " + reason_of(rule)
                                  : "does not hear " + name(event.node) + " any more";
  if (event.b != 0) text += "; last heard " + ms(event.b) + " before";
  return text;
}

}  // namespace

std::string reason_of(LossRule rule) {
  switch (rule) {
    case LossRule::None:
      return "no rule is on record";
    case LossRule::Obituary:
      return "its data plane died (its obituary came)";
    case LossRule::Restarted:
      return "another incarnation of it was heard";
    case LossRule::Leave:
      return "it asked to be let go";
    case LossRule::ItsLink:
      return "it said that its link is down";
    case LossRule::OwnLink:
      return "the own link is down";
    case LossRule::OwnWorker:
      return "the own worker did not answer twice";
    case LossRule::Configuration:
      return "it runs with another configuration";
    case LossRule::DeadAfter:
      return "silent for dead_after in both planes";
    case LossRule::StallAfter:
      return "silent for stall_after, while its control plane vouched or nobody could";
    case LossRule::NoProgress:
      return "heard, but it received nothing new for stall_after";
    case LossRule::NoControlPlane:
      return "its control plane was away while a view change waited for it";
    case LossRule::NoAnswer:
      return "it speaks, but did not answer two attempts";
    case LossRule::OtherView:
      return "it went on in another view";
    case LossRule::Others:
      return "heard well here: another member lost it";
  }
  return "unknown rule " + std::to_string(static_cast<unsigned>(rule));
}

std::string sentence_of(const Noted& noted) {
  const recorder::Event& event = noted.event;
  const std::string view = std::to_string(event.view);
  switch (event.kind) {
    case Kind::Started:
      return "a process starts (pid " + std::to_string(event.a) + ")";
    case Kind::Stopped:
      return "a process ends in good order";
    case Kind::Gap:
      return event.a < 5 * kMillisecond ? "" : "its worker was not scheduled for " + ms(event.a);
    case Kind::Distrusted:
      return "its worker was away for " + ms(event.a) + " and accuses nobody for a while";
    case Kind::Refused:
      return "its data plane refuses an order of its control plane";
    case Kind::BarrierDone:
      return "lane " + std::to_string(event.lane) + ": messages flow in view " + view;
    case Kind::Frozen:
      return "lane " + std::to_string(event.lane) + " is frozen at " + std::to_string(event.a);
    case Kind::Suspected:
      return "suspects " + name(event.node) + ": silent for " + ms(event.a);
    case Kind::Trusted:
      return "hears " + name(event.node) + " and drops the suspicion";
    case Kind::Convicted:
      return convicted(noted);
    case Kind::HeardAgain:
      return "hears " + name(event.node);
    case Kind::AttemptStarted:
      return "starts attempt " + view + " of a view of " + set_text(noted, event.a) +
             without(noted, event.b) + with(noted, event.c);
    case Kind::AttemptPromised:
      return "freezes its lanes for attempt " + view + " of " + name(event.node) +
             without(noted, event.b) + with(noted, event.c);
    case Kind::AttemptFailed:
      return "gives attempt " + view + " up" +
             (event.b == 0 ? "" : ": does not hear " + set_text(noted, event.b));
    case Kind::ReportSent:
      return "reports to " + name(event.node) + " what it holds";
    case Kind::PlanMade:
      return "has all reports; the plan ends the old log of lane 0 at " + std::to_string(event.b);
    case Kind::PlanTaken:
      return "has the plan of " + name(event.node);
    case Kind::DoneSent:
      return "holds all of the old log and says so";
    case Kind::InstallOrdered:
      return "knows that all are done, and installs";
    case Kind::ViewInstalled:
      return "is in view " + view + " of " + set_text(noted, event.a) +
             (event.c == 0 ? "" : "; it took " + ms(event.c));
    case Kind::Obituary:
      return "gets the obituary of " + name(event.node) + ": its data plane died";
    case Kind::PeerLinkDown:
      return "hears from " + name(event.node) + " that its link is down";
    case Kind::OwnLink:
      return std::string("its own link goes ") + (event.a != 0 ? "up" : "down");
    case Kind::KeptOut:
      return "keeps " + name(event.node) + " out: another configuration or key";
    case Kind::QuorumIs:
      return std::string(event.a != 0 ? "is quorate: " : "is NOT quorate: ") +
             std::to_string(event.b) + " votes, " + std::to_string(event.c) + " needed";
    case Kind::DataPlaneUp:
      return "has a data plane (pid " + std::to_string(event.a) + ")";
    case Kind::DataPlaneDown:
      return "its data plane (pid " + std::to_string(event.a) + ") is dead";
    case Kind::Order:
      return "an administrator gives an order (uid " + std::to_string(event.c) + ")";
    case Kind::None:
    case Kind::WireLoss:
    case Kind::RecoveryBegan:
    case Kind::Recovered:
    case Kind::Installed:
    case Kind::Orderer:
    case Kind::Progress:
    case Kind::NakSent:
    case Kind::NakHeard:
    case Kind::SubmitRefused:
    case Kind::ClientAttached:
    case Kind::ClientGone:
    case Kind::ClientEvicted:
    case Kind::ClientSlow:
    case Kind::Left:
    case Kind::OrderRefused:
      return "";
  }
  return "";
}

}  // namespace phalanx::cli
