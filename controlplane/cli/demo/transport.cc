#include "controlplane/cli/demo/transport.h"

#include <unistd.h>

#include <utility>

namespace phalanx::cli {
namespace {

#ifdef PHX_WITH_DPDK
constexpr bool kHasDpdk = true;
#else
constexpr bool kHasDpdk = false;
#endif

/// DPDK itself, and the logs of a node, which take hugepages where there are any.
constexpr std::uint64_t kPagesOfNode = 24;

DemoTransport udp(std::string why) {
  return {.memif = false, .told = "transport: udp (" + std::move(why) + ")", .pages = {}};
}

}  // namespace

Expected<DemoTransport, Error> choose_transport(const DemoOptions& options) {
  const bool asked = options.transport == "dpdk";
  if (options.transport == "udp") return udp("asked for");
  if (!kHasDpdk) {
    if (!asked) return udp("this build has no DPDK");
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot use --transport dpdk",
                      .observed = "this build has no DPDK",
                      .remedy = "apt install libdpdk-dev, build with -Ddpdk=enabled"});
  }
  if (!asked && geteuid() != 0) return udp("DPDK's hugepages are for root to give");
  auto pages = HugePages::get(kPagesOfNode * options.nodes);
  if (!pages && asked) return fail(std::move(pages.error()));
  if (!pages) return udp("not dpdk: " + pages.error().observed);
  DemoTransport out{.memif = true, .told = {}, .pages = std::move(*pages)};
  out.told = "transport: dpdk over memif, shared memory between the nodes; hugepages: " +
             out.pages->told();
  return out;
}

}  // namespace phalanx::cli
