#include <phalanx/sam.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "config/value.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"

namespace phalanx::cli {
namespace {

// As shells, env and timeout have them.
constexpr int kCannotExecute = 126;
constexpr int kNotFound = 127;

struct Options {
  std::string policy = "restart";
  std::string kill_after = "10s";
  std::string delay = "100ms";
  std::string max_delay = "10s";
  bool with_quorum = false;
  bool with_map = false;
  std::vector<std::string> program;
};

/// 1 ms to a day, in ms; the message names the option.
Expected<int, Error> milliseconds(const std::string& option, const std::string& text) {
  constexpr std::int64_t kNsPerMs = 1'000'000;
  constexpr std::int64_t kDayMs = 86'400'000;
  const auto parsed = config::parse_duration(text);
  const std::int64_t ms = parsed ? *parsed / kNsPerMs : 0;
  if (parsed && ms >= 1 && ms <= kDayMs) return static_cast<int>(ms);
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = option + " " + text + " is no time that can be used",
                    .observed = parsed ? "it is not within 1ms and 1440min" : parsed.error(),
                    .remedy = "phalanx supervise --help"});
}

Expected<phx_sam_options, Error> sam_options(const Options& options) {
  const auto kill_after = milliseconds("--kill-after", options.kill_after);
  if (!kill_after) return fail(kill_after.error());
  const auto delay = milliseconds("--delay", options.delay);
  if (!delay) return fail(delay.error());
  const auto max_delay = milliseconds("--max-delay", options.max_delay);
  if (!max_delay) return fail(max_delay.error());
  phx_sam_options sam{};
  sam.struct_bytes = sizeof sam;
  sam.policy = options.policy == "quit" ? PHX_SAM_QUIT : PHX_SAM_RESTART;
  sam.flags = PHX_SAM_EXIT_ZERO_ENDS;
  if (options.with_quorum) sam.flags |= PHX_SAM_WITH_QUORUM;
  if (options.with_map) sam.flags |= PHX_SAM_WITH_MAP;
  sam.restart_delay_ms = *delay;
  sam.restart_delay_max_ms = std::max(*delay, *max_delay);
  sam.stop_ms = *kill_after;
  return sam;
}

/// In the instance: becomes the program, which stays "started" as it knows nothing of us. What
/// cannot be executed now cannot be a second later: that is an end and no failure.
[[noreturn]] void become(const std::vector<std::string>& program) {
  std::vector<char*> words;
  words.reserve(program.size() + 1);
  for (const std::string& word : program) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words.front(), words.data());
  const int error = errno;
  (void)phx_sam_stop();
  std::fputs(system_error("cannot run " + program.front(), "execvp", error).text().c_str(), stderr);
  _exit(error == ENOENT ? kNotFound : kCannotExecute);
}

ExitCode supervise(const Options& options, const Globals& globals) {
  const auto sam = sam_options(options);
  if (!sam) return report(sam.error(), globals);
  // They live as long as the supervisor does.
  std::string name;
  phx_sam_options bound = *sam;
  if (options.with_quorum || options.with_map) {
    const auto instance = find_instance(globals);
    if (!instance) return report(instance.error(), globals);
    name = instance->name;
    bound.instance = name.c_str();
    // The library finds the sockets by it, and so will the program, which inherits it.
    if (!globals.config.empty()) {
      setenv("PHX_RUNTIME_DIR", instance->runtime_directory.c_str(), 1);
    }
  }
  phx_status status = phx_sam_initialize(&bound);
  if (status == PHX_OK) status = phx_sam_register(nullptr);
  if (status == PHX_OK) status = phx_sam_start();
  if (status == PHX_OK) become(options.program);
  return report(Error{.attempted = "cannot supervise " + options.program.front(),
                      .observed = phx_strerror(status),
                      .remedy = {}},
                globals);
}

}  // namespace

void add_supervise(Command& root, const Globals& globals) {
  const auto options = std::make_shared<Options>();
  root.add("supervise",
           "Run a program and start it again when it fails: ends by a signal or with a status "
           "other than 0. SIGTERM, SIGINT and SIGQUIT are passed on and end it for good. Needs "
           "no daemon, but for --with-quorum and --with-map.")
      .flag("--with-quorum", options->with_quorum,
            "Run it only while the cluster is quorate: it waits for that, and is stopped, SIGKILL "
            "--kill-after later, when it is lost")
      .flag("--with-map", options->with_map,
            "Publish its state in the configuration map: phalanx map list resources.process.")
      .word("--policy", options->policy, {"restart", "quit"}, "After a failure")
      .text("--kill-after", options->kill_after,
            "SIGKILL when it has not ended that long after a stop signal (default 10s)", "TIME")
      .text("--delay", options->delay, "Before it is started again (default 100ms)", "TIME")
      .text("--max-delay", options->max_delay,
            "The delay doubles up to this, while it fails sooner than this (default 10s)", "TIME")
      .rest("PROGRAM", options->program, "What to run, with its arguments; write -- before it")
      .footer(
          "Exit codes: that of PROGRAM, 128 + N when signal N ended it, 127 when it is not found,\n"
          "            126 when it cannot be executed, 2 usage, 1 when nothing could be started.")
      .run([&globals, options] { return supervise(*options, globals); });
}

}  // namespace phalanx::cli
