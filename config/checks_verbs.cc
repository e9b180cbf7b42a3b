#include "config/draft.h"

namespace phalanx::config {

void check_verbs(Draft& draft) {
  const TransportSection& transport = draft.config.transport;
  if (transport.kind != TransportKind::Verbs) return;
  if (transport.multicast) return;
  draft.error(draft.place({"transport.kind"}),
              "transport.kind = \"verbs\" without transport.multicast",
              "a group of the nodes' family, such as \"239.77.0.1:5407\" or \"[ff15::77:1]:5407\"",
              "set transport.multicast, the same on all nodes; its port is not used");
}

}  // namespace phalanx::config
