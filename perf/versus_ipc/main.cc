#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "perf/harness/host_cost.h"
#include "perf/versus_ipc/libraries.h"

/// versus-ipc-bench LIBRARY MODE WAIT PLACEMENT CLIENTS BYTES BATCH SECONDS [in-place]: one
/// measurement, one line of JSON. `versus-ipc-bench list` names the libraries, `versus-ipc-bench
/// host` tells what this host costs whoever measures.
int main(int argc, char** argv) {
  using namespace phalanx::perf;
  if (argc == 2 && std::strcmp(argv[1], "list") == 0) {
    for (const IpcLibrary& library : libraries()) std::printf("%s\n", library.name);
    return 0;
  }
  if (argc == 2 && std::strcmp(argv[1], "host") == 0) {
    const std::optional<double> line = line_round_trip_ns();
    const std::optional<double> across = switch_ns();
    const auto word = [](const std::optional<double>& ns) {
      return ns ? std::to_string(*ns) : std::string("null");
    };
    std::printf("{\"line_round_trip_ns\": %s, \"switch_ns\": %s, \"yield_ns\": %.0f}\n",
                word(line).c_str(), word(across).c_str(), yield_ns());
    return 0;
  }
  IpcShape shape;
  // A tenth word: posts are built in place.
  shape.in_place = argc == 10 && std::strcmp(argv[9], "in-place") == 0;
  if ((argc != 9 && !shape.in_place) || !read_mode(argv[2], shape.mode) ||
      !read_wait(argv[3], shape.wait) || !read_placement(argv[4], shape.placement)) {
    std::fprintf(stderr,
                 "usage: %s LIBRARY MODE WAIT PLACEMENT CLIENTS BYTES BATCH SECONDS [in-place] | "
                 "list | host\n",
                 argv[0]);
    return 2;
  }
  shape.clients = static_cast<unsigned>(std::strtoul(argv[5], nullptr, 10));
  shape.bytes = std::strtoul(argv[6], nullptr, 10);
  shape.batch = std::strtoul(argv[7], nullptr, 10);
  shape.seconds = std::strtod(argv[8], nullptr);
  if (shape.clients < 1 || shape.clients > kIpcClientsMax || shape.batch < 1 ||
      shape.bytes > (16u << 20) || !(shape.seconds >= 0.1 && shape.seconds <= 600)) {
    std::fprintf(stderr, "error: 1 to %u clients, 16 MiB, 0.1 to 600 seconds\n", kIpcClientsMax);
    return 2;
  }
  for (const IpcLibrary& library : libraries()) {
    if (std::strcmp(library.name, argv[1]) != 0) continue;
    // Theirs to every client is what they have for it.
    if (shape.mode == IpcMode::Fanout && std::strcmp(library.name, "phalanx") != 0)
      shape.mode = IpcMode::Events;
    IpcResult result;
    if (!measure_ipc(library, shape, result)) return 1;
    std::printf("%s\n", to_json(library, shape, result).c_str());
    return 0;
  }
  std::fprintf(stderr, "error: %s is not built in\n", argv[1]);
  return 2;
}
