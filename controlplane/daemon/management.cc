#include "controlplane/daemon/management.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "transport/wire/key_ring.h"
#include "transport/wire/recorder_word.h"

namespace phalanx::controlplane {
namespace {

using With = wire::ManagementSeal::With;

constexpr std::uint32_t kObituaryRepeats = 2;
constexpr TimeNs kObituaryGap = 3 * kMillisecond;
constexpr int kDatagramsPerTurn = 64;

std::vector<NodeId> ids_of(const std::vector<config::ClusterNode>& nodes) {
  std::vector<NodeId> ids;
  ids.reserve(nodes.size());
  for (const config::ClusterNode& node : nodes) ids.push_back(node.id);
  return ids;
}

std::string_view text_of(wire::ManagementFault fault) noexcept {
  switch (fault) {
    case wire::ManagementFault::Malformed:
      return "it is not a management datagram";
    case wire::ManagementFault::Version:
      return "another protocol version";
    case wire::ManagementFault::Key:
      return "another cluster key";
    case wire::ManagementFault::Tag:
      return "changed on its way, or forged";
  }
  return "corrupt";
}

std::string_view words_of(Refusal::Reason reason) noexcept {
  switch (reason) {
    case Refusal::Reason::ConfigHash:
      return "cluster configuration";
    case Refusal::Reason::ClusterKey:
      return "cluster key";
    case Refusal::Reason::ProtocolVersion:
      return "protocol version";
  }
  return "corrupt";
}

}  // namespace

Expected<std::unique_ptr<Management>, Error> Management::open(EventLoop& loop, Options options,
                                                              wire::ManagementSeal seal,
                                                              Handlers handlers) {
  const std::string attempted =
      "cannot use the management address " + config::to_string(options.own);
  Fd fd(socket(options.own.is_ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
               0));
  if (!fd) return fail(system_error(attempted, "socket", errno));
  const SocketAddress address = to_socket_address(options.own);
  if (bind(fd.get(), address.get(), address.length) != 0) {
    return fail(system_error(attempted, "bind", errno,
                             errno == EADDRINUSE
                                 ? "another process has that port: give node.management another one"
                                 : "give node.management an address of this host"));
  }
  return std::unique_ptr<Management>(new Management(loop, std::move(options), std::move(fd),
                                                    std::move(seal), std::move(handlers)));
}

Management::Management(EventLoop& loop, Options options, Fd fd, wire::ManagementSeal seal,
                       Handlers handlers)
    : options_(std::move(options)),
      fd_(std::move(fd)),
      seal_(std::move(seal)),
      handlers_(std::move(handlers)),
      book_(ids_of(options_.peers), options_.config_hash, options_.dead_after),
      repeat_(loop, [this] {
        send_to_all(obituary_);
        if (--obituary_repeats_ > 0) repeat_.arm(monotonic_now() + kObituaryGap);
      }) {
  for (const config::ClusterNode& peer : options_.peers) {
    if (peer.management) peers_.push_back({peer.id, to_socket_address(*peer.management), false});
  }
  watch_ = Watch(loop, fd_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
}

void Management::vouch(const BootId& worker, bool link_up) {
  send_to_all(seal({.kind = wire::ManagementKind::Vouch,
                    .sealer = options_.self,
                    .counter = ++counter_,
                    .worker = worker,
                    .config_hash = options_.config_hash,
                    .link_up = link_up}));
}

void Management::ask_device(const wire::DeviceWord& word) {
  if (!options_.device) return;
  const SocketAddress to = to_socket_address(*options_.device);
  // Under both keys until it has answered under the next: who leads a rotation waits for that.
  for (const With with : {With::Current, With::Next}) {
    if (with == With::Next && (device_has_next_ || !seal_.has_next())) continue;
    const auto datagram = seal_.seal({.kind = wire::ManagementKind::Ask,
                                      .sealer = options_.self,
                                      .counter = ++counter_,
                                      .config_hash = options_.config_hash,
                                      .device = word},
                                     with);
    (void)sendto(fd_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT, to.get(), to.length);
  }
}

bool Management::send_order(const wire::OrderWord& word) {
  const auto peer = std::ranges::find(peers_, word.to, &PeerAddress::node);
  if (peer == peers_.end()) return false;
  const auto datagram = seal_.seal({.kind = wire::ManagementKind::Order,
                                    .sealer = options_.self,
                                    .counter = ++counter_,
                                    .config_hash = options_.config_hash,
                                    .order = word},
                                   peer->has_next ? With::Next : With::Current);
  (void)sendto(fd_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT, peer->address.get(),
               peer->address.length);
  return true;
}

void Management::hold(std::shared_ptr<const wire::KeyRing> ring) {
  keys_changed_ = true;
  device_has_next_ = false;
  for (PeerAddress& peer : peers_) peer.has_next = false;
  seal_.hold(std::move(ring));
}

Management::Sealed Management::seal(const wire::ManagementMessage& message) const {
  Sealed sealed{seal_.seal(message), {}};
  if (seal_.has_next()) sealed[1] = seal_.seal(message, With::Next);
  return sealed;
}

void Management::send_obituary(Member worker, std::span<const std::byte> obituary) {
  obituary_ = {std::vector(obituary.begin(), obituary.end()), {}};
  if (keys_changed_ || seal_.has_next()) {
    obituary_ = seal({.kind = wire::ManagementKind::Obituary,
                      .sealer = worker,
                      .counter = 0,
                      .worker = worker.boot,
                      .config_hash = options_.config_hash,
                      .link_up = true});
  }
  send_to_all(obituary_);
  obituary_repeats_ = kObituaryRepeats;
  repeat_.arm(monotonic_now() + kObituaryGap);
}

void Management::send_to_all(const Sealed& datagrams) {
  for (const auto& [node, address, has_next] : peers_) {
    const auto& datagram = datagrams[has_next && !datagrams[1].empty() ? 1 : 0];
    // What the kernel refuses now (no route, a full queue) is lost like any datagram.
    (void)sendto(fd_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT, address.get(),
                 address.length);
  }
}

void Management::send_to(NodeId node, std::span<const std::byte> datagram) {
  for (const PeerAddress& peer : peers_) {
    if (peer.node != node) continue;
    (void)sendto(fd_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT, peer.address.get(),
                 peer.address.length);
  }
}

void Management::receive() {
  std::array<std::byte, 2048> bytes;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    SocketAddress from;
    from.length = sizeof from.storage;
    const ssize_t length = recvfrom(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&from.storage), &from.length);
    if (length < 0 && errno == ECONNREFUSED) continue;  // ICMP of an earlier send: a hint, no more.
    if (length < 0) return;
    take(std::span(bytes).first(static_cast<std::size_t>(length)), from);
  }
}

void Management::take(std::span<const std::byte> datagram, const SocketAddress& from) {
  if (!datagram.empty() && datagram.front() == wire::kRecorderMagic) {
    return handlers_.on_recorder(datagram);
  }
  With with = With::Current;
  const auto message = seal_.open(datagram, &with);
  if (!message) return refuse(message.error(), datagram, from);
  if (message->kind == wire::ManagementKind::Answer) {
    // A late or repeated one answers no open question: each names its attempt.
    if (message->config_hash != options_.config_hash) return;
    device_has_next_ = device_has_next_ || with == With::Next;
    handlers_.on_device(message->device);
    return;
  }
  if (message->kind == wire::ManagementKind::Ask) return;  // For the quorum device only.
  const TimeNs now = monotonic_now();
  const BookVerdict verdict = book_.judge(*message, now);
  std::uint64_t suppressed = 0;
  if (with == With::Next && verdict != BookVerdict::Stranger && verdict != BookVerdict::Replayed) {
    for (PeerAddress& peer : peers_) peer.has_next |= peer.node == message->sealer.node;
  }
  switch (verdict) {
    case BookVerdict::Vouched:
      return handlers_.on_vouch(message->sealer.node);
    case BookVerdict::LinkDown:
      return handlers_.on_link_down({message->sealer.node, message->worker});
    case BookVerdict::Dead:
      return handlers_.on_dead(message->sealer);
    case BookVerdict::Ordered:
      if (message->order.to == options_.self.node) {
        handlers_.on_order(message->sealer.node, message->order);
      }
      return;
    case BookVerdict::OtherConfig:
      return tell_refusal(message->sealer.node);
    case BookVerdict::Stranger:
    case BookVerdict::Replayed:
      if (limit_.pass(std::uint64_t{1} << 32 | message->sealer.node, now, suppressed)) {
        log("management")
            .warn("datagram dropped node={} reason=\"{}\" suppressed={}", message->sealer.node,
                  to_string(verdict), suppressed);
      }
      return;
  }
}

// Where it came from is no proof of who sent it, but the best hint there is: what another version
// or key sealed cannot be read.
void Management::refuse(wire::ManagementFault fault, std::span<const std::byte> datagram,
                        const SocketAddress& from) {
  const auto peer = std::ranges::find_if(
      peers_, [&](const PeerAddress& known) { return same_endpoint(known.address, from); });
  const bool differs =
      fault == wire::ManagementFault::Key || fault == wire::ManagementFault::Version;
  if (differs && peer != peers_.end()) {
    book_.refuse(peer->node,
                 fault == wire::ManagementFault::Key ? Refusal::Reason::ClusterKey
                                                     : Refusal::Reason::ProtocolVersion,
                 seal_.difference(fault, datagram));
    return tell_refusal(peer->node);
  }
  std::uint64_t suppressed = 0;
  const auto subject = std::uint64_t{2} << 32 | static_cast<std::uint64_t>(fault);
  if (!limit_.pass(subject, monotonic_now(), suppressed)) return;
  log("management")
      .warn("datagram dropped reason=\"{}\" suppressed={}", text_of(fault), suppressed);
}

void Management::tell_refusal(NodeId node) {
  const PeerBook::Peer* peer = book_.find(node);
  std::uint64_t suppressed = 0;
  if (peer == nullptr || !peer->refusal) return;
  if (!limit_.pass(node, monotonic_now(), suppressed)) return;
  const Refusal& refusal = *peer->refusal;
  log("management")
      .warn(
          "peer kept out node={} reason=\"another {}\" its={:x} ours={:x} count={} -> next: "
          "phalanx status",
          node, words_of(refusal.reason), refusal.theirs, refusal.mine, refusal.count);
}

}  // namespace phalanx::controlplane
