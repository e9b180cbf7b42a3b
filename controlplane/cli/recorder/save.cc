#include "controlplane/cli/recorder/save.h"
#include "controlplane/json_text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "controlplane/membership/tape.h"
#include "dataplane/tape/step.h"
#include "ipc/base/fd.h"

namespace phalanx::cli {
namespace {

Expected<std::vector<std::byte>, Error> read_all(const std::string& path, std::size_t most) {
  const std::string attempted = "cannot read the tape " + path;
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    Error error = system_error(attempted, "open", errno,
                               "was this node's control plane ever started? Or name one: --file");
    if (errno == ENOENT) error.code = ExitCode::NotRunning;
    return fail(std::move(error));
  }
  std::vector<std::byte> bytes(most);
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(attempted, "read", errno));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

/// The lanes' tape of the same node and the same generation: it lies beside the membership's. A
/// node may have none, which is no error: it never had a view.
std::vector<std::byte> read_lanes(const std::string& membership) {
  constexpr std::string_view kName = "membership.tape";
  const std::size_t at = membership.rfind(kName);
  if (at == std::string::npos) return {};
  auto bytes = read_all(std::string(membership).replace(at, kName.size(), "lanes.tape"),
                        tape::kTapeLayout.bytes());
  return bytes && recorder::is_tape(*bytes, tape::kTapeLayout) ? std::move(*bytes)
                                                               : std::vector<std::byte>{};
}

std::uint64_t steps_of(std::span<const std::byte> lanes) {
  const auto records = recorder::read_tape(lanes, tape::kTapeLayout);
  return static_cast<std::uint64_t>(
      std::ranges::count_if(records, [](const auto& record) { return !record.image; }));
}

Expected<void, Error> write_all(const std::string& path, std::span<const std::byte> bytes) {
  const std::string attempted = "cannot write " + path;
  Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail(system_error(attempted, "open", errno, "name a file that is not there"));
  while (!bytes.empty()) {
    const ssize_t put = write(file.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const int error = errno;
      unlink(path.c_str());  // Half a tape would be in the way of the next try.
      return fail(system_error(attempted, "write", error, "free some space there"));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

}  // namespace

ExitCode save_tape(const std::string& to, const std::string& from, const Globals& globals) {
  std::string path = from;
  if (path.empty()) {
    const auto instance = find_instance(globals);
    if (!instance) return report(instance.error(), globals);
    path = instance->directory() + "/recorder/membership.tape";
  }
  auto bytes = read_all(path, membership::kTapeLayout.bytes());
  if (!bytes) return report(bytes.error(), globals);
  const membership::Replay replayed = membership::replay(*bytes);
  if (replayed.steps == 0) {
    return report(Error{.attempted = "cannot save " + path,
                        .observed = "no step of a membership in it is sound",
                        .remedy = "name the membership.tape of a node of this version: --file"},
                  globals);
  }
  const std::vector<std::byte> lanes = read_lanes(path);
  // Where the second begins must not depend on how much of the first there was.
  if (!lanes.empty()) {
    bytes->resize(membership::kTapeLayout.bytes());
    bytes->insert(bytes->end(), lanes.begin(), lanes.end());
  }
  const std::uint64_t lane_steps = steps_of(lanes);
  if (auto written = write_all(to, *bytes); !written) return report(written.error(), globals);
  const double seconds = static_cast<double>(replayed.last - replayed.first) / 1e9;
  if (globals.json) {
    std::printf("%s\n", json_text({{"version", 1},
                                   {"file", to},
                                   {"steps", replayed.steps},
                                   {"seconds", seconds},
                                   {"lane_steps", lane_steps}})
                            .c_str());
  } else {
    std::printf(
        "saved %llu steps of membership over %.1f s, %llu of the lanes in view changes -> next: "
        "phalanx-sim --replay-file %s\n",
        static_cast<unsigned long long>(replayed.steps), seconds,
        static_cast<unsigned long long>(lane_steps), to.c_str());
  }
  return ExitCode::Fine;
}

}  // namespace phalanx::cli
