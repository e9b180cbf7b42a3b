#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "controlplane/daemon/event_loop.h"
#include "controlplane/daemon/log.h"
#include "controlplane/daemon/socket_address.h"
#include "controlplane/quorum/arbiter.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "transport/wire/key_ring.h"
#include "transport/wire/management.h"

namespace phalanx::controlplane {

/// The quorum device's socket and file around the core in controlplane/quorum/arbiter.h. Answers
/// only who holds the cluster key and has the same cluster configuration. One thread.
class ArbiterServer {
 public:
  /// Reads the key and the state file in `directory`, binds quorum.device.address.
  [[nodiscard]] static Expected<std::unique_ptr<ArbiterServer>, Error> open(
      EventLoop& loop, const config::Config& config, const std::string& directory);

  [[nodiscard]] const quorum::Arbiter& arbiter() const noexcept { return arbiter_; }
  /// Why it ended the loop by itself; Fine: it did not.
  [[nodiscard]] ExitCode result() const noexcept { return result_; }

 private:
  ArbiterServer(EventLoop& loop, const config::Config& config, std::string directory, Fd fd,
                wire::LoadedRing keys, Member self, quorum::Arbiter arbiter);
  void receive();
  void take(std::span<const std::byte> datagram, const SocketAddress& from);
  void drop(NodeId node, std::string_view reason);
  void hold(wire::KeyRing ring);
  [[nodiscard]] bool read_keys_again();
  void note_key(NodeId node, bool next);

  EventLoop& loop_;
  std::vector<NodeId> nodes_;
  std::uint64_t config_hash_;
  std::string directory_;
  Fd fd_;
  std::string key_file_;  ///< Empty: an `insecure` cluster.
  std::shared_ptr<const wire::KeyRing> keys_;
  wire::ManagementSeal seal_;
  TimeNs keys_read_at_ = 0;
  std::map<NodeId, int> on_next_;  ///< How often in a row each node asked under the next key.
  Member self_;
  quorum::Arbiter arbiter_;
  std::map<Member, std::uint64_t> counters_;  ///< Highest taken of each sender.
  std::uint64_t counter_ = 0;
  ExitCode result_ = ExitCode::Fine;
  LogLimit limit_{60 * kSecond};
  Watch watch_;
};

[[nodiscard]] std::string arbiter_file(const std::string& directory);

}  // namespace phalanx::controlplane
