// phalanx-arbiter: the quorum device of a cluster.

#include <getopt.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "config/load.h"
#include "controlplane/arbiter/arbiter_server.h"
#include "controlplane/daemon/notify.h"
#include "controlplane/security/hardening.h"
#include "ipc/base/standard_fds.h"

namespace {

constexpr const char* kUsage =
    "usage: phalanx-arbiter [--config FILE] [--instance NAME] [--state-directory DIRECTORY]\n"
    "\n"
    "  --config FILE                the cluster's configuration, as a node has it;\n"
    "                               /etc/phalanx/phalanx.toml unless given\n"
    "  --instance NAME              a node's name, where the file does not say whose it is\n"
    "  --state-directory DIRECTORY  for arbiter.state; node.state_directory unless given\n"
    "  --version, --help\n";

struct Arguments {
  std::string config{phalanx::config::kDefaultConfigFile};
  std::string instance;
  std::string state_directory;
};

/// Ends the program for what is only a question.
Arguments parse(int argc, char** argv) {
  static const option kOptions[] = {{"config", required_argument, nullptr, 'c'},
                                    {"instance", required_argument, nullptr, 'i'},
                                    {"state-directory", required_argument, nullptr, 's'},
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
      case 's':
        arguments.state_directory = optarg;
        break;
      case 'v':
        std::printf("phalanx-arbiter %s\n", PHALANX_RELEASE);
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
  Arguments arguments = parse(argc, argv);
  security::harden_process();
  const auto config = config::load(arguments.config, {.instance = arguments.instance});
  if (!config) {
    std::fputs(config.error().text().c_str(), stderr);
    return static_cast<int>(ExitCode::Usage);
  }
  if (arguments.state_directory.empty()) arguments.state_directory = config->node.state_directory;
  std::error_code made;  // What is wrong with it the first write says.
  std::filesystem::create_directories(arguments.state_directory, made);
  if (const auto logging = controlplane::set_up_logging(*config); !logging) {
    std::fputs(logging.error().text().c_str(), stderr);
    return static_cast<int>(logging.error().code);
  }
  controlplane::EventLoop loop;
  const controlplane::SignalWatch signals(loop, {SIGTERM, SIGINT}, [&](int) { loop.stop(); });
  const auto server = controlplane::ArbiterServer::open(loop, *config, arguments.state_directory);
  if (!server) {
    std::fputs(server.error().text().c_str(), stderr);
    return static_cast<int>(server.error().code);
  }
  controlplane::log("arbiter").info(
      "arbiter starts cluster={} address={} state={} grants={} forgotten={}", config->cluster.name,
      config::to_string(*config->quorum.device),
      controlplane::arbiter_file(arguments.state_directory), (*server)->arbiter().grants().size(),
      (*server)->arbiter().forgotten());
  controlplane::notify("READY=1");
  loop.run();
  return static_cast<int>((*server)->result());
}
