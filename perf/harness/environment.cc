#include "perf/harness/environment.h"

#include <sched.h>
#include <sys/utsname.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/output.h"
#include "perf/harness/host_cost.h"

namespace phalanx::perf {
namespace {

using nlohmann::ordered_json;

/// The first line of a file; null when there is none.
ordered_json line_of(const char* path) {
  std::ifstream in(path);
  std::string line;
  if (!std::getline(in, line)) return nullptr;
  return cli::escaped(line);
}

/// What follows "KEY :" in a file of such lines.
ordered_json value_in(const char* path, const std::string& key) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    const std::size_t begin =
        colon == std::string::npos ? colon : line.find_first_not_of(" \t\"", colon + 1);
    if (begin != std::string::npos) return cli::escaped(line.substr(begin));
  }
  return nullptr;
}

/// "PRETTY_NAME="Debian ..."".
ordered_json distribution() {
  std::ifstream in("/etc/os-release");
  for (std::string line; std::getline(in, line);) {
    constexpr std::string_view kKey = "PRETTY_NAME=\"";
    if (line.starts_with(kKey) && line.ends_with('"')) {
      return cli::escaped(line.substr(kKey.size(), line.size() - kKey.size() - 1));
    }
  }
  return nullptr;
}

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  (void)std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

bool is_virtual() {
  const auto flags = value_in("/proc/cpuinfo", "flags");
  return flags.is_string() &&
         flags.get_ref<const std::string&>().find("hypervisor") != std::string::npos;
}

}  // namespace

ordered_json environment() {
  utsname system{};
  (void)uname(&system);
  std::array<double, 3> load{};
  const bool has_load = getloadavg(load.data(), 3) == 3;
  const std::optional<double> line = line_round_trip_ns();
  const std::optional<double> across = switch_ns();
  return {{"time", now_text()},
          {"phalanx", PHALANX_RELEASE},
          {"compiler", __VERSION__},
          {"kernel", std::string(system.release)},
          {"distribution", distribution()},
          {"processor", value_in("/proc/cpuinfo", "model name")},
          {"virtual", is_virtual()},
          {"cores", usable_cores()},
          {"governor", line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")},
          {"isolated", line_of("/sys/devices/system/cpu/isolated")},
          {"clock", line_of("/sys/devices/system/clocksource/clocksource0/current_clocksource")},
          {"memory", value_in("/proc/meminfo", "MemTotal")},
          {"huge_pages", value_in("/proc/meminfo", "HugePages_Total")},
          {"huge_pages_free", value_in("/proc/meminfo", "HugePages_Free")},
          {"load", has_load ? ordered_json(load[0]) : ordered_json(nullptr)},
          {"line_round_trip_ns", line ? ordered_json(std::round(*line)) : ordered_json(nullptr)},
          {"switch_ns", across ? ordered_json(std::round(*across)) : ordered_json(nullptr)},
          {"yield_ns", std::round(yield_ns())}};
}

void add_environment(cli::Command& root, const cli::Globals& globals) {
  root.add("environment", "What figures of this host are taken on.").run([&globals] {
    const ordered_json all = environment();
    if (globals.json) {
      std::printf("%s\n", all.dump().c_str());
      return ExitCode::Fine;
    }
    for (const auto& [key, value] : all.items()) {
      std::printf(
          "%-16s %s\n", key.c_str(),
          value.is_string() ? value.get_ref<const std::string&>().c_str() : value.dump().c_str());
    }
    return ExitCode::Fine;
  });
}

}  // namespace phalanx::perf
