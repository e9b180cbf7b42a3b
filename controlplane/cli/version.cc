#include <cstdio>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"

namespace phalanx::cli {

void add_version(Command& root, const Globals& globals) {
  root.add("version", "Print the version of this program.").run([&globals] {
    std::printf(globals.json ? "{\"version\":1,\"phalanx\":\"%s\"}\n" : "phalanx %s\n",
                PHALANX_RELEASE);
    return ExitCode::Fine;
  });
}

}  // namespace phalanx::cli
