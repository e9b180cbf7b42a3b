#include "transport/dpdk/eal_arguments.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>

namespace phalanx::transport::dpdk {
namespace {

/// What Phalanx decides itself, and why somebody else may not.
struct Ours {
  std::string_view word;
  std::string_view why;
};
constexpr std::string_view kFromPort = "devices come from transport.port";
constexpr std::string_view kFromCpu = "cores come from worker.cpu";
constexpr std::string_view kNoFiles = "a data plane leaves no files and shares nothing by them";
constexpr std::array kOurs{
    Ours{"--no-pci", kFromPort},
    Ours{"--allow", kFromPort},
    Ours{"-a", kFromPort},
    Ours{"--block", kFromPort},
    Ours{"-b", kFromPort},
    Ours{"--vdev", kFromPort},
    Ours{"--lcores", kFromCpu},
    Ours{"-l", kFromCpu},
    Ours{"-c", kFromCpu},
    Ours{"--main-lcore", kFromCpu},
    Ours{"--in-memory", kNoFiles},
    Ours{"--file-prefix", kNoFiles},
    Ours{"--huge-unlink", kNoFiles},
    Ours{"--no-shconf", kNoFiles},
    Ours{"--legacy-mem", "it takes seconds to start and does not go with --in-memory"},
    Ours{"--proc-type", "a data plane has no secondary processes"},
    Ours{"--iova-mode", "it is always va, so that no physical address is needed"},
    Ours{"--telemetry", "phalanx has counters of its own"},
    Ours{"--no-telemetry", "phalanx says so already"},
};

/// "--lcores=0" and "-l0" name the options "--lcores" and "-l".
const Ours* clash(std::string_view word) noexcept {
  for (const Ours& ours : kOurs) {
    const bool is_long = ours.word.starts_with("--");
    if (is_long ? word.substr(0, word.find('=')) == ours.word
                : word.starts_with(ours.word) && !word.starts_with("--")) {
      return &ours;
    }
  }
  return nullptr;
}

/// "0@(0,1,5)": EAL's one core is a thread that may run wherever this process may.
std::string floating_core() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return "0@(0)";
  std::string list;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) list += (list.empty() ? "" : ",") + std::to_string(cpu);
  }
  return "0@(" + list + ")";
}

}  // namespace

bool is_pci_address(const std::string& port) noexcept {
  const std::string_view address = std::string_view(port).substr(0, port.find(','));
  if (address.size() != 12 && address.size() != 7) return false;
  const std::string_view shape = std::string_view("hhhh:hh:hh.h").substr(12 - address.size());
  return std::equal(address.begin(), address.end(), shape.begin(), [](char c, char wanted) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    return wanted == 'h' ? hex : c == wanted;
  });
}

Expected<EalArguments, Error> eal_arguments(const EalOptions& options) {
  EalArguments out;
  std::vector<std::string> extra;
  std::istringstream words(options.extra);
  for (std::string word; words >> word;) {
    if (const Ours* ours = clash(word)) {
      return fail(Error{
          .code = ExitCode::Usage,
          .attempted = "cannot use transport.eal = \"" + options.extra + "\"",
          .observed = word + " is not for the configuration to say: " + std::string(ours->why),
          .remedy = "take it out; allowed are options like -m, --socket-mem, "
                    "--no-huge, --huge-dir, --log-level and -d"});
    }
    if (word == "--no-huge") out.hugepages = false;
    extra.push_back(std::move(word));
  }
  // EAL refuses --in-memory with --no-huge, which keeps no files either once told so.
  out.words = {out.hugepages ? "--in-memory" : "--no-shconf", "--iova-mode=va", "--no-telemetry",
               "--file-prefix=phalanx-" + options.instance,
               "--lcores=" + (options.cpu ? "0@" + std::to_string(*options.cpu) : floating_core())};
  if (options.pci.empty()) out.words.emplace_back("--no-pci");
  for (const std::string& device : options.pci) out.words.push_back("--allow=" + device);
  out.words.insert(out.words.end(), extra.begin(), extra.end());
  return out;
}

}  // namespace phalanx::transport::dpdk
