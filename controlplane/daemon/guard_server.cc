#include "controlplane/daemon/guard_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace phalanx::controlplane {
namespace {

/// A client chose it, and an administrator's terminal shows it.
std::string in_one_line(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"'; },
      '?');
  return text;
}

using shm::GuardWord;
using shm::GuardWordKind;

bool say(const Fd& to, const GuardWord& word) noexcept {
  return send(to.get(), &word, sizeof word, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof word;
}

}  // namespace

GuardServer::GuardServer(EventLoop& loop, Fd listener, security::Acl acl)
    : loop_(loop),
      listener_(std::move(listener)),
      acl_(std::move(acl)),
      limit_(loop, [this] { give_up(); }) {
  watch_ = Watch(loop_, listener_.get(), EPOLLIN, [this](std::uint32_t) { on_connect(); });
}

void GuardServer::on_connect() {
  Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  auto peer = security::peer_credentials(fd.get());
  if (!peer || !acl_.may_attach(*peer)) return;
  const auto of_user = std::ranges::count_if(
      guards_, [&](const auto& entry) { return entry.second.peer.uid == peer->uid; });
  const bool full =
      guards_.size() >= kGuardsMax ||
      (!acl_.may_administer(*peer) && static_cast<std::size_t>(of_user) >= kGuardsOfUser);
  if (full) {
    (void)say(fd, {.kind = GuardWordKind::Welcome, .value = 0});
    return;
  }
  const Id id = next_++;
  Guard& guard = guards_[id];
  guard.fd = std::move(fd);
  guard.peer = std::move(*peer);
  guard.watch = Watch(loop_, guard.fd.get(), EPOLLIN, [this, id](std::uint32_t) { serve(id); });
}

void GuardServer::serve(Id id) {
  const auto found = guards_.find(id);
  if (found == guards_.end()) return;
  Guard& guard = found->second;
  std::byte packet[sizeof(GuardWord) + 1];
  const ssize_t got = recv(guard.fd.get(), packet, sizeof packet, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const auto word =
      got <= 0 ? std::nullopt
               : shm::read_guard_word(std::span(packet).first(static_cast<std::size_t>(got)));
  if (!word || !take(guard, *word)) {
    guard.watch.reset();
    guards_.erase(found);
  }
  look();
}

bool GuardServer::take(Guard& guard, const GuardWord& word) {
  if (word.kind == GuardWordKind::Hello) {
    if (!guard.name.empty() || word.text[0] == '\0') return false;
    guard.name = in_one_line(word.text);
    return say(guard.fd, {.kind = GuardWordKind::Welcome, .value = 1});
  }
  if (word.kind != GuardWordKind::Answer) return false;
  if (!guard.waited_for || word.number != question_) return true;  // That question is over.
  guard.waited_for = false;
  if (word.value != 1) {
    veto(guard, word.text[0] == '\0' ? "it gave no reason" : in_one_line(word.text));
  }
  return true;
}

void GuardServer::veto(const Guard& guard, std::string reason) {
  vetoes_.push_back({.name = guard.name, .pid = guard.peer.pid, .reason = std::move(reason)});
}

bool GuardServer::ask(Done done) {
  if (done_) return false;
  done_ = std::move(done);
  vetoes_.clear();
  ++question_;
  for (auto& [id, guard] : guards_) {
    if (guard.name.empty()) continue;
    guard.waited_for = say(guard.fd, {.kind = GuardWordKind::Ask, .number = question_});
    if (!guard.waited_for) veto(guard, "it does not read what it is asked");
  }
  limit_.arm(monotonic_now() + kPatience);
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
  for (auto& [id, guard] : guards_) {
    if (!std::exchange(guard.waited_for, false)) continue;
    veto(guard, "it does not answer");
  }
  look();
}

}  // namespace phalanx::controlplane
