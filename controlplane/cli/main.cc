#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"
#include "ipc/base/standard_fds.h"

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 fine, 1 failed, 2 usage or configuration, 3 daemon not running, 4 degraded,\n"
    "            5 permission, 6 time-out.\n"
    "Environment: PHX_RUNTIME_DIR moves the sockets; NO_COLOR turns colours off.";

}  // namespace

int main(int argc, char** argv) {
  using namespace phalanx::cli;
  phalanx::occupy_standard_fds();
  Globals globals;
  Arguments arguments("Group messaging for clusters: see, try and operate it.", "phalanx",
                      PHALANX_RELEASE);
  Command& root = arguments.root();
  root.footer(kFooter)
      .text("--config", globals.config, "Configuration file", "FILE")
      .text("--instance", globals.instance, "Which node of this host", "NAME")
      .flag("--json", globals.json, "Print one JSON object");
  add_config(root, globals);
  add_demo(root, globals);
  add_groups(root, globals);
  add_guard(root, globals);
  add_key(root, globals);
  add_leave(root, globals);
  add_log(root, globals);
  add_map(root, globals);
  add_node(root, globals);
  add_pub(root, globals);
  add_quorum(root, globals);
  add_recorder(root, globals);
  add_reload(root, globals);
  add_status(root, globals);
  add_sub(root, globals);
  add_supervise(root, globals);
  add_top(root, globals);
  add_version(root, globals);
  add_why(root, globals);
  return static_cast<int>(after_output(arguments.run(argc, argv)));
}
