// phalanx-controlplane: one node's control plane.

#include <getopt.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <string>

#include "config/load.h"
#include "controlplane/daemon/daemon.h"
#include "controlplane/daemon/log.h"
#include "controlplane/daemon/spawn.h"
#include "controlplane/security/hardening.h"
#include "ipc/base/scheduling.h"
#include "ipc/base/standard_fds.h"

namespace {

constexpr const char* kUsage =
    "usage: phalanx-controlplane [--config FILE] [--instance NAME] [--no-dataplane-start] "
    "[--check]\n"
    "\n"
    "  --config FILE         configuration; /etc/phalanx/phalanx.toml unless given\n"
    "  --instance NAME       which node this is, when several run on one host\n"
    "  --no-dataplane-start  wait for a data plane that somebody else starts, and leave it "
    "running\n"
    "  --check               read the configuration, say what is wrong with it, and end\n"
    "  --version, --help\n";

struct Arguments {
  std::string config{phalanx::config::kDefaultConfigFile};
  std::string instance;
  bool start_dataplane = true;
  bool check_only = false;
};

/// Does next to nothing, but what it does must not wait: on a busy host a view change would take as
/// many scheduling delays as it has steps. Where it is not allowed, so be it.
void be_prompt() noexcept {
  (void)setpriority(PRIO_PROCESS, 0, -10);
  phalanx::ask_for_short_turns();
}

/// Ends the program for what is only a question.
Arguments parse(int argc, char** argv) {
  static const option kOptions[] = {{"config", required_argument, nullptr, 'c'},
                                    {"instance", required_argument, nullptr, 'i'},
                                    {"no-dataplane-start", no_argument, nullptr, 'n'},
                                    {"check", no_argument, nullptr, 'k'},
                                    {"version", no_argument, nullptr, 'v'},
                                    {"help", no_argument, nullptr, 'h'},
                                    {nullptr, 0, nullptr, 0}};
  Arguments arguments;
  for (int word = 0; (word = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (word) {
      case 'c':
        arguments.config = optarg;
        break;
      case 'i':
        arguments.instance = optarg;
        break;
      case 'n':
        arguments.start_dataplane = false;
        break;
      case 'k':
        arguments.check_only = true;
        break;
      case 'v':
        std::printf("phalanx-controlplane %s\n", PHALANX_RELEASE);
        std::exit(0);
      case 'h':
        std::fputs(kUsage, stdout);
        std::exit(0);
      default:
        std::fputs(kUsage, stderr);
        std::exit(static_cast<int>(phalanx::ExitCode::Usage));
    }
  }
  if (optind < argc) {
    std::fprintf(stderr, "error: unexpected argument %s\n%s", argv[optind], kUsage);
    std::exit(static_cast<int>(phalanx::ExitCode::Usage));
  }
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace phalanx;
  occupy_standard_fds();
  const Arguments arguments = parse(argc, argv);
  security::harden_process();
  be_prompt();
  auto config = config::load(arguments.config, {.instance = arguments.instance});
  if (!config) {
    std::fputs(config.error().text().c_str(), stderr);
    return static_cast<int>(ExitCode::Usage);
  }
  if (arguments.check_only) {
    std::printf("%s: ok, node %u of cluster %s\n", config->file.c_str(), config->node.id,
                config->cluster.name.c_str());
    return 0;
  }
  if (const auto logging = controlplane::set_up_logging(*config); !logging) {
    std::fputs(logging.error().text().c_str(), stderr);
    return static_cast<int>(logging.error().code);
  }
  auto daemon = controlplane::Daemon::create(
      std::move(*config), {.start_dataplane = arguments.start_dataplane,
                           .dataplane_program = controlplane::find_data_plane()});
  if (!daemon) {
    std::fputs(daemon.error().text().c_str(), stderr);
    return static_cast<int>(daemon.error().code);
  }
  return static_cast<int>((*daemon)->run());
}
