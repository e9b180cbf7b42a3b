#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::cli {

/// Where the demo's nodes meet. As root: a nameless network namespace for each node, joined by veth
/// pairs to a bridge in one more; the kernel takes all of it away when the last process in them and
/// these descriptors are gone. Otherwise: ports of the loopback interface.
class DemoNetwork {
 public:
  struct NodePlace {
    std::string address;     ///< "10.77.0.1:5405".
    std::string management;  ///< "10.77.0.1:5406".
    int network = -1;        ///< Namespace to start the node in, or -1.
  };

  enum class Ports : std::uint8_t {
    One,          ///< "data", for everything.
    DataForDpdk,  ///< "data" without an address, since the kernel must not answer there; "mgmt".
  };
  /// Of the ports for DPDK, in bytes of IP: what Ethernet between dedicated hosts carries.
  static constexpr std::uint32_t kDataMtu = 9000;
  [[nodiscard]] static Expected<DemoNetwork, Error> in_namespaces(std::size_t nodes,
                                                                  Ports ports = Ports::One);
  [[nodiscard]] static Expected<DemoNetwork, Error> on_loopback(std::size_t nodes);
  /// Free ports of these addresses of this host, which the nodes share out.
  [[nodiscard]] static Expected<DemoNetwork, Error> on_addresses(
      std::size_t nodes, const std::vector<std::string>& addresses);

  [[nodiscard]] const std::vector<NodePlace>& places() const noexcept { return places_; }

  /// Only with namespaces, else Error. Each takes effect before it returns, without a process.
  /// The bridge's end of a node's cable goes down or up: the node loses its carrier.
  [[nodiscard]] Expected<void, Error> set_link(std::size_t node, bool up) const;
  /// Takes a node out of the bridge or back: its frames go nowhere, and its carrier stays.
  [[nodiscard]] Expected<void, Error> set_bridged(std::size_t node, bool bridged) const;

  [[nodiscard]] bool has_namespaces() const noexcept { return !namespaces_.empty(); }

 private:
  std::vector<NodePlace> places_;
  std::vector<Fd> namespaces_;  ///< The bridge's first, then each node's.
  Fd bridge_;                   ///< A socket in the bridge's: a socket stays where it was made.
};

}  // namespace phalanx::cli
