#include "controlplane/cli/demo/transport.h"

#include <unistd.h>

#include <utility>

#include "controlplane/cli/demo/network.h"
#include "controlplane/cli/demo/rdma.h"

namespace phalanx::cli {
namespace {

#ifdef PHX_WITH_DPDK
constexpr bool kHasDpdk = true;
#else
constexpr bool kHasDpdk = false;
#endif

#ifdef PHX_WITH_VERBS
constexpr bool kHasVerbs = true;
#else
constexpr bool kHasVerbs = false;
#endif

/// DPDK itself, and the logs of a node, which take hugepages where there are any.
constexpr std::uint64_t kPagesOfNode = 24;

DemoTransport udp(std::string why) {
  return {.port = {},
          .table = {},
          .told = "transport: udp (" + std::move(why) + ")",
          .pages = {},
          .addresses = {}};
}

DemoTransport shm() {
  return {.port = {},
          .table = "[transport]\nkind = \"shm\"\n",
          .told = "transport: shm, memory that each node writes and the others read",
          .pages = {},
          .addresses = {},
          .is_shm = true};
}

Expected<DemoTransport, Error> verbs(bool copies) {
  if (!kHasVerbs) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot use --transport verbs",
                      .observed = "this build has no libibverbs",
                      .remedy = "apt install libibverbs-dev, build with -Dverbs=enabled"});
  }
  auto addresses = rdma_addresses();
  if (!addresses) return fail(std::move(addresses.error()));
  return DemoTransport{
      .port = {},
      .table = std::string("[transport]\nkind = \"verbs\"\n") +
               (copies ? "" : "multicast = \"239.77.0.1:5407\"\n"),
      .told = std::string("transport: verbs, a queue pair of one RDMA port for each node, ") +
              (copies ? "copies" : "multicast"),
      .pages = {},
      .addresses = std::move(*addresses)};
}

}  // namespace

std::string DemoTransport::name() const {
  if (is_verbs()) return "verbs";
  if (is_shm) return "shm";
  if (is_memif()) return "dpdk:memif";
  return is_ethernet() ? "dpdk:af_packet" : "udp";
}

Expected<DemoTransport, Error> choose_transport(const DemoOptions& options) {
  const bool ethernet = options.transport == "ethernet";
  const bool asked = ethernet || options.transport == "dpdk";
  if (options.transport == "udp") return udp("asked for");
  if (options.transport == "shm") return shm();
  if (options.transport == "verbs") return verbs(options.copies);
  if (!kHasDpdk) {
    if (!asked) return udp("this build has no DPDK");
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot use --transport " + options.transport,
                      .observed = "this build has no DPDK",
                      .remedy = "apt install libdpdk-dev, build with -Ddpdk=enabled"});
  }
  if (!asked && geteuid() != 0) return udp("DPDK's hugepages are for root to give");
  if (ethernet && geteuid() != 0) {
    return fail(Error{.code = ExitCode::Permission,
                      .attempted = "cannot use --transport ethernet",
                      .observed = "not root",
                      .remedy = "run as root: each node needs a network namespace with a port"});
  }
  auto pages = HugePages::get(kPagesOfNode * options.nodes);
  if (!pages && asked) return fail(std::move(pages.error()));
  if (!pages) return udp("not dpdk: " + pages.error().observed);
  DemoTransport out{.port = ethernet ? "net_af_packet0,iface=data" : "memif",
                    .table = {},
                    .told = {},
                    .pages = std::move(*pages),
                    .addresses = {}};
  out.table = "[transport]\nkind = \"dpdk\"\nport = \"" + out.port + "\"\n";
  if (ethernet) {
    // The kernel's work is by the packet: few long ones, and one for all peers.
    out.table += "mtu = \"" + std::to_string(DemoNetwork::kDataMtu) + "B\"\n";
    if (!options.copies) out.table += "multicast = \"239.192.0.7:5407\"\n";
  }
  out.told = std::string("transport: dpdk over ") +
             (ethernet ? "af_packet, an Ethernet port for each node, " +
                             std::string(options.copies ? "copies" : "multicast") + ", MTU " +
                             std::to_string(DemoNetwork::kDataMtu)
                       : "memif, shared memory between the nodes") +
             "; hugepages: " + out.pages->told();
  return out;
}

}  // namespace phalanx::cli
