#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controlplane/cli/admin_client.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

struct LogOrder {
  std::string subsystem;
  std::string word;
  std::uint64_t lines = 100;
};

std::string state_text(const json& state) {
  Table table({"subsystem", "level", "targets", "lines", "muted"});
  for (const json& one : state.value("subsystems", json::array())) {
    table.row({one.value("subsystem", ""), one.value("level", ""), one.value("targets", ""),
               grouped(one.value("lines", std::uint64_t{0})),
               grouped(one.value("muted", std::uint64_t{0}))});
  }
  const std::string file = state.value("file", "");
  const std::uint64_t lost = state.value("lost", std::uint64_t{0});
  return table.text() + (file.empty() ? "no log file" : "log file " + escaped(file)) +
         (lost > 0 ? ", " + counted(lost, "line") + " not taken by it: is its disk full?" : "") +
         "\n";
}

ExitCode run(json request, const Globals& globals) {
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  request["command"] = "log";
  const auto answer = ask(instance->directory(), request);
  if (!answer) return report(answer.error(), globals);
  if (globals.json) {
    std::printf("%s\n", answer->dump().c_str());
  } else if (const auto lines = answer->find("lines"); lines != answer->end()) {
    for (const json& line : *lines) std::printf("%s\n", line.get<std::string>().c_str());
  } else {
    std::fputs(state_text(*answer).c_str(), stdout);
  }
  return ExitCode::Fine;
}

}  // namespace

void add_log(Command& root, const Globals& globals) {
  const auto order = std::make_shared<LogOrder>();
  Command log = root.add("log", "Say what this node logs, and where; change that.");
  log.add("show", "Print the newest lines of its memory, of all levels.")
      .number("--lines", order->lines, {1, 4096}, "How many")
      .text("--subsystem", order->subsystem, "Only of this one", "NAME")
      .word("--level", order->word, {"error", "warn", "info", "debug"}, "Only as grave as this")
      .run([&globals, order] {
        json request = {{"order", "lines"}, {"lines", order->lines}};
        request["subsystem"] = order->subsystem;
        request["level"] = order->word;
        return run(request, globals);
      });
  log.add("level", "Say more or less, until the next reload or restart.")
      .word("LEVEL", order->word, {"error", "warn", "info", "debug"}, "How much")
      .text("SUBSYSTEM", order->subsystem, "Which one; all unless given")
      .run([&globals, order] {
        if (order->word.empty()) {
          return report({.code = ExitCode::Usage,
                         .attempted = "no level is given",
                         .remedy = "phalanx log level error|warn|info|debug [SUBSYSTEM]"},
                        globals);
        }
        return run({{"order", "level"}, {"subsystem", order->subsystem}, {"level", order->word}},
                   globals);
      });
  log.add("targets", "Say it elsewhere, until the next reload or restart.")
      .required_text("TARGETS", order->word, "\"stderr syslog file\", some of them, or none")
      .text("SUBSYSTEM", order->subsystem, "Which one; all unless given")
      .run([&globals, order] {
        return run(
            {{"order", "targets"}, {"subsystem", order->subsystem}, {"targets", order->word}},
            globals);
      });
  log.add("reopen", "Open the log file anew: for logrotate, once it was moved away.")
      .run([&globals] {
        return run({{"order", "reopen"}}, globals);
      });
  log.run([&globals] { return run(json::object(), globals); });
}

}  // namespace phalanx::cli
