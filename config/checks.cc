#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>

#include "config/draft.h"
#include "config/value.h"
#include "ipc/base/error.h"

namespace phalanx::config {
namespace {

/// Beside messages and windows: headers of records, and the record of a new view (core.h).
constexpr std::uint64_t kLogSlack = 32 << 10;

std::string size(std::uint64_t bytes) { return format_size(static_cast<std::int64_t>(bytes)); }
std::string time(TimeNs ns) { return format_duration(static_cast<std::int64_t>(ns)); }

void check_order(Draft& draft, std::string_view low, TimeNs low_ns, std::string_view high,
                 TimeNs high_ns) {
  if (low_ns <= high_ns) return;
  draft.error(draft.place({high, low}),
              std::string(high) + " (" + time(high_ns) + ") is shorter than " + std::string(low) +
                  " (" + time(low_ns) + ")",
              std::string(high) + " of at least " + std::string(low),
              "raise " + std::string(high) + ", or lower " + std::string(low));
}

void check_busy_poll(Draft& draft) {
  const TransportSection& transport = draft.config.transport;
  if (transport.busy_poll == 0) return;
  const Place place = draft.place({"transport.busy_poll"});
  const std::string what = "transport.busy_poll = \"" + time(transport.busy_poll) + "\"";
  if (transport.busy_poll % kMicrosecond != 0) {
    draft.error(place, what + " is no number of microseconds", "1us to 1ms, or 0ns",
                "the kernel counts in microseconds");
  }
  const SecondSection& second = transport.second;
  const bool second_udp = second.enabled && second.kind == TransportKind::Udp;
  if (transport.kind == TransportKind::Udp || second_udp) return;
  draft.error(place, what + ", and nothing goes through the kernel's sockets",
              "udp as transport.kind or transport.second.kind with it",
              "leave it out: other transports poll the adapter anyway");
}

}  // namespace

void check_sizes(Draft& draft) {
  Config& config = draft.config;
  const ClusterSection& cluster = config.cluster;
  check_order(draft, "cluster.dead_after", cluster.dead_after, "cluster.stall_after",
              cluster.stall_after);
  check_order(draft, "cluster.hold_min", cluster.hold_min, "cluster.hold_max", cluster.hold_max);

  const std::uint64_t nodes = cluster.nodes.size();
  const std::uint64_t submits = nodes * config.lane.submit_window;
  const std::uint64_t need = 2ULL * cluster.max_message + config.lane.window + submits + kLogSlack;
  config.lane.log = std::max(config.lane.log, std::bit_ceil(need));
  const std::uint64_t flight = config.lane.window + submits;
  if (config.transport.receive_buffer < flight) {
    draft.error(draft.place({"transport.receive_buffer", "lane.window", "lane.submit_window",
                             "cluster.nodes"}),
                "transport.receive_buffer (" + size(config.transport.receive_buffer) +
                    ") is smaller than lane.window (" + size(config.lane.window) + ") + " +
                    std::to_string(nodes) + " x lane.submit_window (" +
                    size(config.lane.submit_window) + ") = " + size(flight),
                "at least " + size(flight), "raise it, or lower lane.submit_window");
  }
}

void check_clients(Draft& draft) {
  const std::uint64_t log = draft.config.client.shared_log;
  const std::uint64_t least =
      std::max<std::uint64_t>(4ULL << 20, 4ULL * draft.config.cluster.max_message);
  if (log == 0 || log >= least) return;
  draft.error(draft.place({"client.shared_log", "cluster.max_message"}),
              "client.shared_log (" + size(log) +
                  ") is smaller than 4MiB or 4 x cluster.max_message (" +
                  size(draft.config.cluster.max_message) + ")",
              "0B, or at least " + size(least), "raise client.shared_log, or leave it out");
}

void check_transport(Draft& draft) {
  check_busy_poll(draft);
  const TransportSection& transport = draft.config.transport;
  const bool port = transport.kind == TransportKind::Dpdk && transport.port != "memif";
  if (transport.vlan == 0 || port) return;
  draft.error(draft.place({"transport.vlan"}),
              "transport.vlan = " + std::to_string(transport.vlan) +
                  ", which only packets of a port of DPDK's can carry",
              "transport.vlan with transport.kind = \"dpdk\" and a device as transport.port",
              "leave it out; over the kernel's sockets, or RDMA, let the kernel tag: ip link add "
              "link eth1 name eth1." +
                  std::to_string(transport.vlan) + " type vlan id " +
                  std::to_string(transport.vlan));
}

void check_metrics(Draft& draft) {
  const auto& listen = draft.config.metrics.listen;
  if (!listen || listen->host == "::1" || listen->host.starts_with("127.")) return;
  draft.error(draft.place({"metrics.listen"}),
              "metrics.listen = \"" + to_string(*listen) + "\" is not on the loopback interface",
              "an address of 127.0.0.0/8, or ::1",
              "listen on 127.0.0.1 and let an agent of this host, or a proxy with a password, "
              "carry it further");
}

void check_key_file(Draft& draft) {
  const ClusterSection& cluster = draft.config.cluster;
  if (cluster.insecure) return;
  const Place place = draft.place({"cluster.key_file"});
  const std::string allowed = "a regular file that only its owner may read";
  struct stat status {};
  if (stat(cluster.key_file.c_str(), &status) != 0) {
    const Error error = system_error("", "stat", errno);
    draft.error(
        place,
        "cannot look at cluster.key_file = \"" + cluster.key_file + "\" (" + error.observed + ")",
        allowed, "phalanx key generate " + cluster.key_file);
    return;
  }
  if (!S_ISREG(status.st_mode)) {
    draft.error(place, "cluster.key_file = \"" + cluster.key_file + "\" is not a regular file",
                allowed, "name a file, or make one: phalanx key generate FILE");
  } else if ((status.st_mode & 077) != 0) {
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "0%03o", static_cast<unsigned>(status.st_mode & 0777));
    draft.error(place,
                "cluster.key_file = \"" + cluster.key_file + "\" is open to others (mode " +
                    mode.data() + ")",
                allowed, "chmod 600 " + cluster.key_file);
  } else if (status.st_uid != geteuid() && geteuid() != 0) {
    draft.error(place,
                "cluster.key_file = \"" + cluster.key_file + "\" belongs to user " +
                    std::to_string(status.st_uid) + ", this is user " + std::to_string(geteuid()),
                allowed, "run as its owner, or chown it");
  }
}

}  // namespace phalanx::config
