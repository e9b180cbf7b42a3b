#include "controlplane/daemon/guard_server.h"

#include <algorithm>
#include <utility>

#include "ipc/shm/guard_protocol.h"

namespace phalanx::controlplane {
namespace {

using shm::GuardCall;

constexpr CallServer::Options kOptions{.service = shm::kGuardService,
                                       .calls = shm::kGuardCalls,
                                       .subsystem = "daemon",
                                       .limits = {.clients_max = GuardServer::kGuardsMax,
                                                  .clients_reserved = GuardServer::kGuardsOfAdmins,
                                                  .clients_of_user = GuardServer::kGuardsOfUser,
                                                  .ring_bytes = shm::kGuardRingBytes,
                                                  .message_bytes = shm::kGuardMessageBytesMax,
                                                  .messages_a_turn = 4}};

/// A client chose it, and an administrator's terminal shows it.
std::string in_one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"'; },
      '?');
  return line;
}

}  // namespace

GuardServer::GuardServer(EventLoop& loop, Fd listener, security::Acl acl, TimeNs patience)
    : acl_(std::move(acl)),
      patience_(patience),
      limit_(loop, [this] { give_up(); }),
      server_(
          loop, std::move(listener), kOptions,
          {.admit = [this](const security::PeerCredentials& peer) { return acl_.may_attach(peer); },
           .joined = [this](CallServer::Client client,
                            const CallServer::Peer& peer) { guards_[client].pid = peer.pid; },
           .left =
               [this](CallServer::Client client) {
                 guards_.erase(client);
                 look();
               },
           .request = [this](const CallServer::Request& request) { serve(request); }}) {}

// Nobody is to be told any more while the guards go.
GuardServer::~GuardServer() { done_ = nullptr; }

void GuardServer::serve(const CallServer::Request& request) {
  Guard& guard = guards_.at(request.client);
  const bool enters = request.call == static_cast<std::uint32_t>(GuardCall::Enter);
  if (request.number == 0 ||
      !(enters ? enter(guard, request.bytes) : take_answer(guard, request.bytes))) {
    return server_.cut_off(request.client);
  }
  (void)server_.reply(request.client, request.number);
  look();
}

bool GuardServer::enter(Guard& guard, std::span<const std::byte> bytes) {
  const auto name = shm::read_guard_name(bytes);
  if (!name || !guard.name.empty()) return false;
  guard.name = in_one_line(*name);
  return true;
}

bool GuardServer::take_answer(Guard& guard, std::span<const std::byte> bytes) {
  const auto answer = shm::read_guard_answer(bytes);
  if (!answer || guard.name.empty()) return false;
  guard.unanswered = 0;
  if (!guard.waited_for || answer->head.question != question_) return true;  // That one is over.
  guard.waited_for = false;
  if (answer->head.agrees == 0) {
    veto(guard, answer->reason.empty() ? "it gave no reason" : in_one_line(answer->reason));
  }
  return true;
}

void GuardServer::veto(const Guard& guard, std::string reason) {
  vetoes_.push_back({.name = guard.name, .pid = guard.pid, .reason = std::move(reason)});
}

/// Never fills the ring of one that does not read: it would be cut off, and its veto with it.
bool GuardServer::tell(CallServer::Client client, Guard& guard) {
  if (guard.unanswered >= kUnansweredMax) return false;
  ++guard.unanswered;
  return server_.tell(client, shm::kGuardAskEvent, std::as_bytes(std::span(&question_, 1)));
}

bool GuardServer::ask(Done done) {
  if (done_) return false;
  done_ = std::move(done);
  vetoes_.clear();
  ++question_;
  for (auto& [client, guard] : guards_) {
    if (guard.name.empty()) continue;
    guard.waited_for = tell(client, guard);
    if (!guard.waited_for) veto(guard, "it does not answer what it is asked");
  }
  limit_.arm(monotonic_now() + patience_);
  look();
  return true;
}

void GuardServer::look() {
  if (!done_) return;
  const bool waits =
      std::ranges::any_of(guards_, [](const auto& entry) { return entry.second.waited_for; });
  if (waits) return;
  limit_.disarm();
  std::exchange(done_, nullptr)(std::exchange(vetoes_, {}));
}

void GuardServer::give_up() {
  for (auto& [client, guard] : guards_) {
    if (!std::exchange(guard.waited_for, false)) continue;
    veto(guard, "it does not answer");
  }
  look();
}

}  // namespace phalanx::controlplane
