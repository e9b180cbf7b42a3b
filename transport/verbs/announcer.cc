#include "transport/verbs/announcer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace phalanx::transport::verbs {
namespace {

constexpr TimeNs kAgain = 250 * kMillisecond;

}  // namespace

Expected<Announcer, Error> Announcer::open(const std::vector<VerbsNode>& nodes,
                                           const Announcement& own) {
  Announcer out(own);
  for (const VerbsNode& node : nodes) {
    const ibv_gid address = gid_of(node.address).value_or(ibv_gid{});
    if (node.node != own.node) {
      out.places_.push_back({.node = node.node, .address = address, .port = node.port});
      continue;
    }
    out.socket_ = calls::open_datagrams(address, node.port);
    if (out.socket_ < 0) {
      return fail(system_error("cannot take the UDP port " + std::to_string(node.port) + " of " +
                                   node.address + ", where nodes say where their queue pairs are",
                               "bind", errno,
                               "see who has it (ss -uap), or give this node another port in "
                               "cluster.nodes.address"));
    }
  }
  return out;
}

Announcer::Announcer(Announcer&& other) noexcept
    : own_(other.own_),
      places_(std::move(other.places_)),
      socket_(std::exchange(other.socket_, -1)),
      due_(other.due_) {}

Announcer::~Announcer() {
  if (socket_ >= 0) calls::close_datagrams(socket_);
}

void Announcer::tell(const Place& to, bool asks) noexcept {
  Announcement said = own_;
  said.asks = asks;
  const auto bytes = encode(said);
  calls::send_datagram(socket_, to.address, to.port, bytes);  // Lost: asked for again.
}

/// False: none waits. One that does not count leaves `heard` empty.
bool Announcer::take(std::optional<Announcement>& heard) noexcept {
  std::array<std::byte, kAnnouncementBytes + 1> bytes;  // One more shows what is too long.
  calls::Datagram got;
  if (!calls::take_datagram(socket_, bytes, &got)) return false;
  const auto said = decode(std::span(bytes).first(std::min(got.bytes, bytes.size())));
  if (!said) return true;
  const auto place = std::ranges::find(places_, said->node, &Place::node);
  if (place == places_.end() || !same(place->address, got.from) || place->port != got.port) {
    return true;
  }
  if (said->asks) tell(*place, false);
  heard = said;
  return true;
}

bool Announcer::moved(std::uint16_t lid) noexcept {
  if (std::exchange(own_.lid, lid) == lid) return false;
  for (const Place& place : places_) tell(place, false);
  return true;
}

void Announcer::ask(const Peers& peers, TimeNs now) noexcept {
  if (now < due_) return;
  due_ = now + kAgain;
  for (const Place& place : places_) {
    const Peer* peer = peers.find(place.node);
    if (peer == nullptr || !peer->proven) tell(place, true);
  }
}

}  // namespace phalanx::transport::verbs
