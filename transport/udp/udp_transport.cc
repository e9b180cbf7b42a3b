#include "transport/udp/udp_transport.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ipc/base/assert.h"
#include "transport/udp/receiver.h"
#include "transport/udp/sender.h"
#include "transport/udp/sockets.h"

namespace phalanx::transport::udp {
namespace {

constexpr std::uint32_t kMtuMin = 1280;  // What IPv6 asks of every link.
constexpr std::uint32_t kMtuMax = 65535;
constexpr std::uint32_t kBurstFrames = 64;

constexpr std::uint32_t ip_and_udp_bytes(bool ipv6) noexcept { return ipv6 ? 48 : 28; }

/// What the kernel charges a waiting frame at worst: a driver may spend whole pages on it, and a
/// granted buffer is counted with that overhead in it.
constexpr std::uint32_t charged_bytes(std::uint32_t frame_bytes) noexcept {
  return 2 * (frame_bytes + 576);
}

class Udp final : public UdpTransport {
 public:
  struct Place {
    NodeId node = 0;
    bool member = false;
    Address address;
  };

  Udp(const UdpConfig& config, const Address& local, std::uint32_t frame_bytes_max)
      : local_(local),
        receiver_(local, frame_bytes_max),
        tx_memory_(new std::byte[std::size_t{kBurstFrames} * frame_bytes_max]),
        limits_{.frame_bytes_max = frame_bytes_max, .burst_frames_max = kBurstFrames} {
    peers_.reserve(config.peers.size());
    for (std::size_t i = 0; i < kBurstFrames; ++i)
      tx_frames_[i].bytes = {tx_memory_.get() + i * frame_bytes_max, frame_bytes_max};
  }

  void add_peer(NodeId node, const Address& address) { peers_.push_back({node, false, address}); }
  Expected<void, Error> open_sockets(const UdpConfig& config, const Interface& on,
                                     const std::optional<Address>& group);

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override { return receiver_.burst(out); }
  void rx_release(std::span<const RxFrame> frames) noexcept override { receiver_.release(frames); }

  // Frames of full length lie back to back, so that a run of them is one piece of memory.
  std::size_t tx_alloc(std::span<TxFrame> out) noexcept override {
    const std::size_t count = std::min<std::size_t>(out.size(), kBurstFrames);
    std::copy_n(tx_frames_.begin(), count, out.begin());  // Also in turns that send nothing.
    return count;
  }

  void tx_burst(std::span<const TxFrame> frames) noexcept override;

  void set_members(std::span<const NodeId> members) noexcept override {
    for (Place& peer : peers_) {
      peer.member = std::find(members.begin(), members.end(), peer.node) != members.end();
    }
  }

  [[nodiscard]] int wait_fd() const noexcept override {
    return both_ ? both_.get() : unicast_.get();
  }
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return limits_; }
  [[nodiscard]] TransportCounters counters() const noexcept override {
    TransportCounters out;
    receiver_.add_to(out);
    sender_.add_to(out);
    return out;
  }

  [[nodiscard]] TransportPorts ports() noexcept override { return {"udp", 1, 1}; }

  [[nodiscard]] Address local_address() const override { return local_; }
  void set_peer(NodeId node, const Address& address) override {
    for (Place& peer : peers_) {
      if (peer.node == node) peer.address = address;
    }
  }
  [[nodiscard]] bool segments() const noexcept override { return sender_.segments(); }

 private:
  [[nodiscard]] bool goes_to(const TxFrame& frame, const Place& peer) const noexcept;
  void grant(const Socket& socket) noexcept;

  Address local_;
  Address group_;
  Fd unicast_;
  Fd multicast_;
  Fd both_;  ///< An epoll set of both sockets, only where there are two.
  std::vector<Place> peers_;
  Receiver receiver_;
  Sender sender_;
  std::unique_ptr<std::byte[]> tx_memory_;
  std::array<TxFrame, kBurstFrames> tx_frames_{};  ///< What tx_alloc() lends: parts of it.
  TransportLimits limits_;
};

/// Peer by peer, so that all frames of a turn for one peer stay in a row and leave together.
void Udp::tx_burst(std::span<const TxFrame> frames) noexcept {
  PHX_CHECK(frames.size() <= kBurstFrames);
  for (const Place& peer : peers_) {
    for (const TxFrame& frame : frames) {
      if (goes_to(frame, peer)) sender_.add(peer.address, frame.bytes.first(frame.length));
    }
  }
  if (multicast_) {
    for (const TxFrame& frame : frames) {
      if (frame.to.kind != Destination::Kind::Peer) {
        sender_.add(group_, frame.bytes.first(frame.length));
      }
    }
  }
  sender_.flush();
}

bool Udp::goes_to(const TxFrame& frame, const Place& peer) const noexcept {
  switch (frame.to.kind) {
    case Destination::Kind::Peer:
      return frame.to.peer == peer.node;
    case Destination::Kind::Members:
      return !multicast_ && peer.member;
    case Destination::Kind::Everyone:
      return !multicast_;
  }
  return false;
}

Expected<void, Error> Udp::open_sockets(const UdpConfig& config, const Interface& on,
                                        const std::optional<Address>& group) {
  const SocketOptions options{.receive_buffer = config.receive_buffer,
                              .busy_poll_us = config.busy_poll_us,
                              .cpu = config.cpu,
                              .segmentation = config.segmentation};
  auto unicast = open_unicast(local_, options);
  if (!unicast) return fail(std::move(unicast.error()));
  grant(*unicast);
  unicast_ = std::move(unicast->fd);
  const Address bound = Address::of_socket(unicast_.get());
  receiver_.set_self(bound);
  local_ = bound;
  sender_.open(unicast_.get(), unicast->segmentation);

  if (group) {
    auto heard = open_group(*group, local_, on, options);
    if (!heard) return fail(std::move(heard.error()));
    grant(*heard);
    multicast_ = std::move(heard->fd);
    group_ = *group;
    // The kernel gives our own frames back to this host only where another node of it listens.
    const bool loop = std::any_of(peers_.begin(), peers_.end(), [&](const Place& peer) {
      return peer.address.same_host(local_);
    });
    if (auto set = send_groups_through(unicast_.get(), local_, on, loop); !set) return set;
    both_.reset(epoll_create1(EPOLL_CLOEXEC));
    for (const int fd : {unicast_.get(), multicast_.get()}) {
      epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
      if (epoll_ctl(both_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return fail(system_error("cannot wait for two sockets", "epoll_ctl", errno));
      }
    }
  }
  receiver_.open(unicast_.get(), multicast_ ? multicast_.get() : -1);
  return {};
}

void Udp::grant(const Socket& socket) noexcept {
  const std::uint32_t frames = socket.receive_buffer / charged_bytes(limits_.frame_bytes_max);
  limits_.rx_ring_frames =
      limits_.rx_ring_frames == 0 ? frames : std::min(limits_.rx_ring_frames, frames);
}

Error bad_address(const Endpoint& endpoint) {
  return {ExitCode::Usage, "cannot use the address " + endpoint.host,
          "it is no numeric IPv4 or IPv6 address", "write it like 10.0.0.1 or fd00::1"};
}

Expected<void, Error> check_mtu(std::uint32_t mtu, const Interface& on) {
  const std::string attempted = "cannot use transport.mtu = " + std::to_string(mtu);
  if (mtu < kMtuMin || mtu > kMtuMax) {
    return fail(Error{ExitCode::Usage, attempted, "it is out of range", "use 1280 to 65535"});
  }
  if (mtu > on.mtu && on.mtu != 0) {
    return fail(Error{
        ExitCode::Usage, attempted, "interface " + on.name + " has MTU " + std::to_string(on.mtu),
        "set transport.mtu = " + std::to_string(on.mtu) + " on all nodes, or: ip link set " +
            on.name + " mtu " + std::to_string(mtu)});
  }
  return {};
}

Expected<std::optional<Address>, Error> parse_group(const UdpConfig& config, bool ipv6) {
  if (!config.multicast) return std::optional<Address>();
  const auto group = Address::parse(*config.multicast);
  if (!group) return fail(bad_address(*config.multicast));
  if (!group->is_multicast() || group->is_ipv6() != ipv6) {
    return fail(Error{ExitCode::Usage, "cannot use transport.multicast = " + group->text(),
                      "it is no multicast group of the family of this node's address",
                      ipv6 ? "use one like [ff05::5405]:5405" : "use one like 239.192.54.5:5405"});
  }
  return group;
}

}  // namespace

Expected<std::unique_ptr<UdpTransport>, Error> open(const UdpConfig& config) {
  const auto local = Address::parse(config.local);
  if (!local) return fail(bad_address(config.local));
  auto group = parse_group(config, local->is_ipv6());
  if (!group) return fail(std::move(group.error()));
  auto on = interface_of(*local);
  if (!on) return fail(std::move(on.error()));
  if (auto fine = check_mtu(config.mtu, *on); !fine) return fail(std::move(fine.error()));

  const std::uint32_t frame_bytes = config.mtu - ip_and_udp_bytes(local->is_ipv6());
  auto made = std::make_unique<Udp>(config, *local, frame_bytes);
  for (const Peer& peer : config.peers) {
    if (peer.node == config.self) continue;
    const auto address = Address::parse(peer.endpoint);
    if (!address || address->is_ipv6() != local->is_ipv6()) return fail(bad_address(peer.endpoint));
    made->add_peer(peer.node, *address);
  }
  if (auto opened = made->open_sockets(config, *on, *group); !opened) {
    return fail(std::move(opened.error()));
  }
  return std::unique_ptr<UdpTransport>(std::move(made));
}

}  // namespace phalanx::transport::udp
