// `phalanx key status` and `phalanx key rotate`.

#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "controlplane/cli/admin_client.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/key_file.h"
#include "controlplane/cli/key_text.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"
#include "ipc/base/time_ns.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

constexpr auto kLook = std::chrono::milliseconds(100);
/// The node that leads gives up before: this is for one that went away.
constexpr TimeNs kPatience = 90 * kSecond;

ExitCode print_status(const Globals& globals) {
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  const auto answer = ask(instance->directory(), {{"command", "key"}});
  if (!answer) return report(answer.error(), globals);
  std::fputs(globals.json ? (answer->dump() + "\n").c_str() : key_status_text(*answer).c_str(),
             stdout);
  return is_settled(*answer) ? ExitCode::Fine : ExitCode::Degraded;
}

Error failed(std::string observed, ExitCode code = ExitCode::Failed) {
  return {.code = code,
          .attempted = "the rotation of the cluster key is not complete",
          .observed = std::move(observed),
          .remedy = "phalanx key status"};
}

/// Looks on until the node that leads says how it ended. What has changed is printed.
ExitCode follow(const std::string& directory, const Globals& globals) {
  std::string shown;
  const TimeNs until = monotonic_now() + kPatience;
  while (monotonic_now() < until) {
    const auto answer = ask(directory, {{"command", "key"}});
    if (!answer) return report(answer.error(), globals);
    const std::string line = key_progress_text(*answer);
    if (!globals.json && line != shown) std::fprintf(stderr, "%s\n", line.c_str());
    shown = line;
    const json rotation = answer->value("rotation", json());
    if (rotation.is_object() && !rotation.value("running", false)) {
      const json error = rotation.value("error", json());
      if (error.is_string()) return report(failed(error.get<std::string>()), globals);
      std::fputs(globals.json ? (answer->dump() + "\n").c_str() : key_status_text(*answer).c_str(),
                 stdout);
      return ExitCode::Fine;
    }
    std::this_thread::sleep_for(kLook);
  }
  return report(failed("it still runs", ExitCode::TimeOut), globals);
}

ExitCode rotate(bool force, const Globals& globals) {
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  const auto begun = ask(instance->directory(),
                         {{"command", "key"}, {"order", "rotate"}, {"force", force}}, 10 * kSecond);
  if (!begun) return report(begun.error(), globals);
  return follow(instance->directory(), globals);
}

}  // namespace

void add_key_rotation(Command& key, const Globals& globals) {
  key.add("status",
          "Which cluster keys the nodes hold, by fingerprint, and how far a rotation is. Exit code "
          "4 unless all nodes answer and have one key.")
      .run([&globals] { return print_status(globals); });
  const auto force = std::make_shared<bool>(false);
  key.add("rotate",
          "Have all configured nodes go over to the next key, which lies beside the key file of "
          "each. No message is lost, and nothing changes unless all of them can.")
      .flag("--force", *force, "Go on without nodes that do not answer: they are kept out")
      .run([&globals, force] { return rotate(*force, globals); });
}

}  // namespace phalanx::cli
