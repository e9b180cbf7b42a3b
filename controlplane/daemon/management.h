#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "config/config.h"
#include "controlplane/daemon/event_loop.h"
#include "controlplane/daemon/log.h"
#include "controlplane/daemon/peer_book.h"
#include "controlplane/daemon/socket_address.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/wire/management.h"

namespace phalanx::controlplane {

/// The control planes' own way to each other: kernel UDP on the management addresses. Carries no
/// decisions, only proof of life and of death, so that the data path can be judged quickly.
class Management {
 public:
  struct Options {
    Member self;  ///< The node, and this control plane's own boot id.
    config::Endpoint own;
    std::vector<config::ClusterNode> peers;  ///< Those without a management address are skipped.
    std::uint64_t config_hash = 0;
    TimeNs dead_after = 50 * kMillisecond;
    std::optional<config::Endpoint> device;  ///< The quorum device's, if there is one.
  };
  struct Handlers {
    std::function<void(NodeId)> on_vouch;
    std::function<void(Member)> on_link_down;  ///< The peer and its worker.
    std::function<void(Member)> on_dead;       ///< May name this node itself.
    std::function<void(const wire::DeviceWord&)> on_device;
    std::function<void(NodeId from, const wire::OrderWord&)> on_order;
    /// A sealed wire::RecorderWord, from anywhere.
    std::function<void(std::span<const std::byte>)> on_recorder;
  };

  [[nodiscard]] static Expected<std::unique_ptr<Management>, Error> open(EventLoop& loop,
                                                                         Options options,
                                                                         wire::ManagementSeal seal,
                                                                         Handlers handlers);

  /// Tells every peer that the worker lives, or that this node's link is down.
  void vouch(const BootId& worker, bool link_up);

  /// To the quorum device.
  void ask_device(const wire::DeviceWord& word);

  /// To the node that it names. False: that one has no management address.
  bool send_order(const wire::OrderWord& word);

  /// Tells every peer that a worker of this node is dead: at once, and twice again soon, since
  /// datagrams get lost. `obituary`: what it sealed when it started. It says the same whoever seals
  /// it, so once keys have changed it is sealed again.
  void send_obituary(Member worker, std::span<const std::byte> obituary);

  /// Holds these cluster keys from now on. Each peer is spoken to with the newest it ever used.
  void hold(std::shared_ptr<const wire::KeyRing> ring);
  /// Whether the quorum device has answered under the next key.
  [[nodiscard]] bool device_has_next() const noexcept { return device_has_next_; }

  /// To one peer; nothing if it has no management address.
  void send_to(NodeId node, std::span<const std::byte> datagram);

  /// Takes all datagrams that wait, up to a bound. The loop does so by itself; call it before
  /// judging time.
  void receive();

  /// Another dead_after, as in Options.
  void set_silence(TimeNs dead_after) noexcept { book_.set_silence(dead_after); }

  [[nodiscard]] const PeerBook& book() const noexcept { return book_; }

  /// By whom a line about a peer may be written now: one subject is one node.
  [[nodiscard]] LogLimit& limit() noexcept { return limit_; }

 private:
  Management(EventLoop& loop, Options options, Fd fd, wire::ManagementSeal seal, Handlers handlers);
  /// The same word to all, each datagram under the key for its receiver.
  using Sealed = std::array<std::vector<std::byte>, 2>;
  [[nodiscard]] Sealed seal(const wire::ManagementMessage& message) const;
  void send_to_all(const Sealed& datagrams);
  void take(std::span<const std::byte> datagram, const SocketAddress& from);
  void refuse(wire::ManagementFault fault, std::span<const std::byte> datagram,
              const SocketAddress& from);
  void tell_refusal(NodeId node);

  Options options_;
  Fd fd_;
  wire::ManagementSeal seal_;
  Handlers handlers_;
  PeerBook book_;
  LogLimit limit_{60 * kSecond};
  struct PeerAddress {
    NodeId node = 0;
    SocketAddress address;
    bool has_next = false;  ///< It used the next key.
  };
  std::vector<PeerAddress> peers_;
  bool device_has_next_ = false;
  bool keys_changed_ = false;
  std::uint64_t counter_ = 0;
  Sealed obituary_;
  std::uint32_t obituary_repeats_ = 0;
  Timer repeat_;
  Watch watch_;
};

}  // namespace phalanx::controlplane
