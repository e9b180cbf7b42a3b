// phalanx-metrics: what a node is doing, over HTTP on the loopback interface.

#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "config/load.h"
#include "config/value.h"
#include "controlplane/http/pages.h"
#include "ipc/base/error.h"
#include "ipc/base/standard_fds.h"

namespace {

using phalanx::Error;
using phalanx::ExitCode;
using phalanx::Expected;
using phalanx::fail;
namespace config = phalanx::config;

constexpr const char* kUsage =
    "usage: phalanx-metrics [--config FILE] [--instance NAME] [--listen ADDRESS] [--user NAME]\n"
    "\n"
    "  --config FILE     where [metrics] and the runtime directory are read from\n"
    "  --instance NAME   which node of this host\n"
    "  --listen ADDRESS  loopback address and port; metrics.listen, or 127.0.0.1:9464, unless "
    "given\n"
    "  --user NAME       whom to become when started by root; metrics.user, or nobody\n"
    "  --version, --help\n";

struct Arguments {
  std::string config;
  std::string instance;
  std::string listen;
  std::string user;
};

/// Ends the program for what is only a question.
Arguments parse(int argc, char** argv) {
  static const option kOptions[] = {{"config", required_argument, nullptr, 'c'},
                                    {"instance", required_argument, nullptr, 'i'},
                                    {"listen", required_argument, nullptr, 'l'},
                                    {"user", required_argument, nullptr, 'u'},
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
      case 'l':
        arguments.listen = optarg;
        break;
      case 'u':
        arguments.user = optarg;
        break;
      case 'v':
        std::printf("phalanx-metrics %s\n", PHALANX_RELEASE);
        std::exit(0);
      case 'h':
        std::fputs(kUsage, stdout);
        std::exit(0);
      default:
        std::fputs(kUsage, stderr);
        std::exit(static_cast<int>(ExitCode::Usage));
    }
  }
  if (optind < argc) {
    std::fprintf(stderr, "error: unexpected argument %s\n%s", argv[optind], kUsage);
    std::exit(static_cast<int>(ExitCode::Usage));
  }
  return arguments;
}

struct Settings {
  std::string directory;
  config::Endpoint listen;
  std::string user;
};

Expected<Settings, Error> settle(const Arguments& arguments) {
  Settings out;
  std::string listen = "127.0.0.1:9464";
  out.user = "nobody";
  if (arguments.config.empty()) {
    out.directory = config::default_runtime_directory() + "/" +
                    (arguments.instance.empty() ? "default" : arguments.instance);
  } else {
    const auto loaded =
        config::load(arguments.config, {.instance = arguments.instance, .check_key_file = false});
    if (!loaded) {
      return fail(Error{.code = ExitCode::Usage,
                        .attempted = "the configuration " + arguments.config + " has errors",
                        .observed = loaded.error().errors.front().what,
                        .remedy = "phalanx config check " + arguments.config});
    }
    out.directory = config::instance_directory(*loaded);
    out.user = loaded->metrics.user;
    if (loaded->metrics.listen) listen = config::to_string(*loaded->metrics.listen);
  }
  if (!arguments.listen.empty()) listen = arguments.listen;
  if (!arguments.user.empty()) out.user = arguments.user;
  const auto endpoint = config::parse_endpoint(listen);
  if (!endpoint || (endpoint->host != "::1" && !endpoint->host.starts_with("127."))) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = "cannot listen on " + listen,
                      .observed = "it is no address and port of the loopback interface",
                      .remedy = "--listen 127.0.0.1:9464, and let an agent of this host carry it "
                                "further"});
  }
  out.listen = *endpoint;
  return out;
}

/// Root has no business in front of a socket: for ever another user, with no way back.
Expected<void, Error> drop_privileges(const std::string& user) {
  (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (geteuid() != 0) return {};
  const std::string what = "cannot become the user " + user;
  errno = 0;
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr || entry->pw_uid == 0) {
    return fail(Error{.code = ExitCode::Usage,
                      .attempted = what,
                      .observed = entry == nullptr ? "there is no such user" : "that is root",
                      .remedy = "set metrics.user, or --user, to an unprivileged user"});
  }
  if (setgroups(0, nullptr) != 0 || setgid(entry->pw_gid) != 0 || setuid(entry->pw_uid) != 0 ||
      setuid(0) == 0) {
    return fail(phalanx::system_error(what, "setuid", errno));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  using namespace phalanx;
  occupy_standard_fds();
  std::signal(SIGPIPE, SIG_IGN);
  const Arguments arguments = parse(argc, argv);
  const auto settings = settle(arguments);
  if (!settings) {
    std::fputs(settings.error().text().c_str(), stderr);
    return static_cast<int>(settings.error().code);
  }
  // Before there are threads: they all have the mask, and sigwait() below the signals.
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, signal);
  sigprocmask(SIG_BLOCK, &ends, nullptr);

  http::Pages pages(settings->directory);
  const std::string where = config::to_string(settings->listen);
  if (!pages.bind(settings->listen.host, settings->listen.port)) {
    std::fputs(system_error("cannot listen on " + where, "bind", errno,
                            "is a phalanx-metrics running? See metrics.listen and --listen")
                   .text()
                   .c_str(),
               stderr);
    return static_cast<int>(ExitCode::Failed);
  }
  if (const auto dropped = drop_privileges(settings->user); !dropped) {
    std::fputs(dropped.error().text().c_str(), stderr);
    return static_cast<int>(dropped.error().code);
  }
  std::fprintf(stderr, "phalanx-metrics serves http://%s/metrics of %s as uid %u\n", where.c_str(),
               settings->directory.c_str(), geteuid());
  std::thread server([&] { pages.serve(); });
  int signal = 0;
  sigwait(&ends, &signal);
  pages.stop();
  server.join();
  return 0;
}
