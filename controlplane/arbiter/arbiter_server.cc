#include "controlplane/arbiter/arbiter_server.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "controlplane/daemon/durable_file.h"
#include "controlplane/quorum/from_config.h"
#include "ipc/base/bytes.h"
#include "transport/wire/key_ring.h"

namespace phalanx::controlplane {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;
constexpr int kDatagramsPerTurn = 64;
/// Incarnations of senders that are remembered. Who restarts so often is told to restart this.
constexpr std::size_t kSendersMax = 65536;
/// Who has asked so often under the next key has given up the old one.
constexpr int kAsksOnNext = 3;
/// Between two readings of the key files, while datagrams of another key come.
constexpr TimeNs kKeysAgain = kSecond;

Expected<wire::LoadedRing, Error> read_keys(const config::Config& config) {
  if (!config.cluster.insecure) return wire::load_key_ring(config.cluster.key_file);
  return wire::LoadedRing{.ring = {wire::insecure_cluster_key(config.cluster.name), std::nullopt},
                          .next_fault = {}};
}

Expected<void, Error> read_state(const std::string& directory, quorum::Arbiter& arbiter) {
  const std::string path = arbiter_file(directory);
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return {};
  std::string text(kFileBytesMax, '\0');
  const ssize_t bytes = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
  if (bytes < 0) {
    return fail(system_error("cannot read the state file " + path, fd ? "read" : "open", errno,
                             state_file_remedy(errno, directory)));
  }
  text.resize(static_cast<std::size_t>(bytes));
  if (arbiter.restore(text)) return {};
  return fail(Error{.code = ExitCode::Failed,
                    .attempted = "cannot use the state file " + path,
                    .observed = "it is not what an arbiter of these nodes wrote",
                    .remedy = "give the configuration that it was written with; or delete it: "
                              "then nobody gets a vote before all nodes are in one view"});
}

}  // namespace

std::string arbiter_file(const std::string& directory) { return directory + "/arbiter.state"; }

Expected<std::unique_ptr<ArbiterServer>, Error> ArbiterServer::open(EventLoop& loop,
                                                                    const config::Config& config,
                                                                    const std::string& directory) {
  if (!config.quorum.device) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot be the quorum device of " + config.file,
                      .observed = "quorum.device.address is not given",
                      .remedy = "give it, on all nodes alike: an address of this host"});
  }
  auto keys = read_keys(config);
  if (!keys) return fail(std::move(keys.error()));
  BootId boot;
  if (getrandom(boot.bytes.data(), boot.bytes.size(), 0) !=
      static_cast<ssize_t>(boot.bytes.size())) {
    return fail(system_error("cannot draw a boot id", "getrandom", errno));
  }
  std::uint32_t epoch = 0;
  for (std::size_t i = 0; i < 4; ++i) epoch = epoch << 8 | boot.bytes[i];
  epoch = std::max<std::uint32_t>(epoch & wire::kEpochMask, 1);
  quorum::Arbiter arbiter(quorum::everybody(quorum::from_config(config)), epoch);
  if (auto read = read_state(directory, arbiter); !read) return fail(std::move(read.error()));
  // Now rather than with the first grant: who cannot remember must not begin.
  if (auto done = write_durably(directory, arbiter_file(directory), arbiter.text()); !done) {
    return fail(std::move(done.error()));
  }

  const std::string attempted =
      "cannot use quorum.device.address " + config::to_string(*config.quorum.device);
  Fd fd(socket(config.quorum.device->is_ipv6 ? AF_INET6 : AF_INET,
               SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(system_error(attempted, "socket", errno));
  const SocketAddress address = to_socket_address(*config.quorum.device);
  if (bind(fd.get(), address.get(), address.length) != 0) {
    return fail(system_error(attempted, "bind", errno,
                             errno == EADDRINUSE
                                 ? "another process has that port: is an arbiter running here?"
                                 : "run the arbiter on the host that has this address"));
  }
  return std::unique_ptr<ArbiterServer>(
      new ArbiterServer(loop, config, directory, std::move(fd), std::move(*keys),
                        Member{wire::kDeviceNode, boot}, std::move(arbiter)));
}

ArbiterServer::ArbiterServer(EventLoop& loop, const config::Config& config, std::string directory,
                             Fd fd, wire::LoadedRing keys, Member self, quorum::Arbiter arbiter)
    : loop_(loop),
      config_hash_(config::cluster_hash(config)),
      directory_(std::move(directory)),
      fd_(std::move(fd)),
      key_file_(config.cluster.insecure ? std::string() : config.cluster.key_file),
      seal_(keys.ring.current, config.cluster.insecure),
      self_(self),
      arbiter_(std::move(arbiter)) {
  for (const quorum::Voter& voter : quorum::from_config(config).nodes) nodes_.push_back(voter.node);
  hold(std::move(keys.ring));
  watch_ = Watch(loop, fd_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
}

void ArbiterServer::receive() {
  std::array<std::byte, 2048> bytes;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    SocketAddress from;
    from.length = sizeof from.storage;
    const ssize_t length = recvfrom(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&from.storage), &from.length);
    if (length < 0 && errno == ECONNREFUSED) continue;  // ICMP of an earlier answer.
    if (length < 0) return;
    take(std::span(bytes).first(static_cast<std::size_t>(length)), from);
  }
}

void ArbiterServer::drop(NodeId node, std::string_view reason) {
  std::uint64_t suppressed = 0;
  if (!limit_.pass(node, monotonic_now(), suppressed)) return;
  log("arbiter").warn("datagram dropped node={} reason=\"{}\" suppressed={}", node, reason,
                      suppressed);
}

void ArbiterServer::hold(wire::KeyRing ring) {
  keys_ = std::make_shared<const wire::KeyRing>(std::move(ring));
  seal_.hold(keys_);
  on_next_.clear();
}

/// Somebody uses another key: is there a next one by now? Never without the one that it has.
bool ArbiterServer::read_keys_again() {
  const TimeNs now = monotonic_now();
  if (key_file_.empty() || keys_->next || now < keys_read_at_ + kKeysAgain) return false;
  keys_read_at_ = now;
  auto loaded = wire::load_key_ring(key_file_);
  if (!loaded || !loaded->ring.next || !(loaded->ring.current.secret == keys_->current.secret)) {
    return false;
  }
  log("arbiter").info("holds the next key as well key={} fingerprint={}", loaded->ring.next->id,
                      wire::fingerprint(*loaded->ring.next));
  hold(std::move(loaded->ring));
  return true;
}

/// Who holds both asks under both, or under the old one. The old one goes once nobody does any
/// more.
void ArbiterServer::note_key(NodeId node, bool next) {
  if (!keys_->next) return;
  int& count = on_next_[node];
  count = next ? count + 1 : 0;
  const bool all = std::ranges::all_of(
      nodes_, [&](NodeId one) { return on_next_.contains(one) && on_next_[one] >= kAsksOnNext; });
  if (!all) return;
  const std::string wanted = wire::fingerprint(*keys_->next);
  if (const auto promoted = wire::promote_next_key(key_file_, wanted); !promoted) {
    on_next_.clear();  // And then once more.
    std::uint64_t suppressed = 0;
    if (!limit_.pass(std::uint64_t{1} << 32, monotonic_now(), suppressed)) return;
    return log("arbiter").warn("{} observed=\"{}\" remedy=\"{}\"", promoted.error().attempted,
                               promoted.error().observed, promoted.error().remedy);
  }
  log("arbiter").info("the old key is gone key={} fingerprint={}", keys_->next->id, wanted);
  hold(wire::KeyRing(keys_->next->clone(), std::nullopt));
}

void ArbiterServer::take(std::span<const std::byte> datagram, const SocketAddress& from) {
  auto with = wire::ManagementSeal::With::Current;
  auto message = seal_.open(datagram, &with);
  if (!message && message.error() == wire::ManagementFault::Key && read_keys_again()) {
    message = seal_.open(datagram, &with);
  }
  if (!message) return drop(0, "not a management datagram of this cluster's key and version");
  if (message->kind != wire::ManagementKind::Ask) return;
  const NodeId node = message->sealer.node;
  const auto known = std::ranges::find(nodes_, node);
  if (known == nodes_.end()) return drop(node, "no node of cluster.nodes");
  if (message->config_hash != config_hash_) return drop(node, "another cluster configuration");
  if (counters_.size() >= kSendersMax && !counters_.contains(message->sealer)) {
    return drop(node, "too many restarts of nodes: restart the arbiter");
  }
  std::uint64_t& highest = counters_[message->sealer];
  if (message->counter <= highest) return drop(node, "repeated");
  highest = message->counter;

  note_key(node, with == wire::ManagementSeal::With::Next);
  const bool forgot = arbiter_.forgotten();
  const auto answer =
      arbiter_.on_ask(static_cast<std::size_t>(known - nodes_.begin()), message->device);
  if (answer.changed) {
    const auto done = write_durably(directory_, arbiter_file(directory_), arbiter_.text());
    if (!done) {
      // What is not on the disk must not be said, and what is in memory is not on the disk.
      log("arbiter").error("{} observed=\"{}\" remedy=\"{}\"", done.error().attempted,
                           done.error().observed, done.error().remedy);
      result_ = ExitCode::Failed;
      watch_.reset();
      return loop_.stop();
    }
    log("arbiter").info("granted view={} nodes={:x} node={} installed={}", message->device.sequence,
                        message->device.nodes, node, message->device.yes);
  }
  if (forgot && !arbiter_.forgotten()) log("arbiter").info("all nodes were seen in one view");
  const auto reply = seal_.seal({.kind = wire::ManagementKind::Answer,
                                 .sealer = self_,
                                 .counter = ++counter_,
                                 .config_hash = config_hash_,
                                 .device = answer.word},
                                with);
  (void)sendto(fd_.get(), reply.data(), reply.size(), MSG_DONTWAIT, from.get(), from.length);
}

}  // namespace phalanx::controlplane
