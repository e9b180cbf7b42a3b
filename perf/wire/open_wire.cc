#include "perf/wire/open_wire.h"

#include <charconv>
#include <optional>
#include <sstream>
#include <utility>

#include "transport/udp/udp_transport.h"
#ifdef PHX_WITH_VERBS
#include "transport/verbs/verbs_transport.h"
#endif

namespace phalanx::perf {
namespace {

using Opened = Expected<std::unique_ptr<transport::Transport>, Error>;

constexpr std::uint16_t kGroupPort = 5407;

/// "10.0.0.1:5405" or "[fd77::1]:5405".
std::optional<WireAddress> address_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  WireAddress out{.host = std::move(host)};
  const char* begin = text.data() + colon + 1;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(begin, end, out.port);
  if (error != std::errc{} || rest != end || out.port == 0 || out.host.empty()) return std::nullopt;
  return out;
}

Opened open_udp(const WireOptions& options, const std::vector<WireAddress>& addresses) {
  transport::udp::UdpConfig set{.self = static_cast<NodeId>(options.self)};
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    set.peers.push_back({.node = static_cast<NodeId>(i + 1),
                         .endpoint = {.host = addresses[i].host, .port = addresses[i].port}});
  }
  set.local = set.peers[options.self - 1].endpoint;
  set.mtu = static_cast<std::uint32_t>(options.mtu);
  if (!options.copies) set.multicast = {.host = options.group, .port = kGroupPort};
  auto opened = transport::udp::open(set);
  if (!opened) return fail(std::move(opened.error()));
  return std::unique_ptr<transport::Transport>(std::move(*opened));
}

#ifdef PHX_WITH_VERBS
Opened open_verbs(const WireOptions& options, const std::vector<WireAddress>& addresses) {
  transport::verbs::VerbsConfig set{.self = static_cast<NodeId>(options.self)};
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    set.nodes.push_back({.node = static_cast<NodeId>(i + 1),
                         .address = addresses[i].host,
                         .port = addresses[i].port});
  }
  set.device = options.device;
  if (!options.copies) set.group = options.group;
  set.frame_bytes = transport::verbs::frame_bytes_of(static_cast<std::uint32_t>(options.mtu));
  return transport::verbs::open(set);
}
#else
Opened open_verbs(const WireOptions&, const std::vector<WireAddress>&) {
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = "cannot use --transport verbs",
                    .observed = "this build has no libibverbs",
                    .remedy = "apt install libibverbs-dev, build with -Dverbs=enabled"});
}
#endif

}  // namespace

Expected<std::vector<WireAddress>, Error> addresses_of(const WireOptions& options) {
  std::vector<WireAddress> out;
  std::istringstream words(options.nodes);
  for (std::string word; std::getline(words, word, ',');) {
    const auto address = address_of(word);
    if (!address) {
      return fail(Error{.code = ExitCode::Usage,
                        .attempted = "cannot use the address \"" + word + "\" of --nodes",
                        .observed = "it is no ADDRESS:PORT",
                        .remedy = "write --nodes 10.0.0.1:5405,10.0.0.2:5405, the same for all"});
    }
    out.push_back(*address);
  }
  if (out.size() >= 2 && options.self >= 1 && options.self <= out.size()) return out;
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = "cannot be node " + std::to_string(options.self),
                    .observed = "--nodes names " + std::to_string(out.size()),
                    .remedy = "name two or more nodes, and give --self the place of this one"});
}

Expected<std::unique_ptr<transport::Transport>, Error> open_wire(
    const WireOptions& options, const std::vector<WireAddress>& addresses) {
  return options.transport == "udp" ? open_udp(options, addresses) : open_verbs(options, addresses);
}

}  // namespace phalanx::perf
