#pragma once

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

  [[nodiscard]] static Expected<DemoNetwork, Error> in_namespaces(std::size_t nodes);
  [[nodiscard]] static Expected<DemoNetwork, Error> on_loopback(std::size_t nodes);

  [[nodiscard]] const std::vector<NodePlace>& places() const noexcept { return places_; }
  [[nodiscard]] bool has_namespaces() const noexcept { return !namespaces_.empty(); }

 private:
  std::vector<NodePlace> places_;
  std::vector<Fd> namespaces_;  ///< The bridge's first, then each node's.
};

}  // namespace phalanx::cli
